/** The part of `akamai-edgeauth` that the tests use. The package has no types. */
declare module 'akamai-edgeauth' {
  export default class EdgeAuth {
    constructor(options: {
      key: string;
      endTime: number;
      salt?: string;
      escapeEarly?: boolean;
    });
    generateURLToken(url: string): string;
    generateACLToken(acl: string | readonly string[]): string;
  }
}
