/** The example of the README: a program that keeps its database credentials up to date. */
export const databaseExample = `\
import { openVolume } from 'sidecar-signer/secret-volume';

const database = openVolume('/etc/database', {
  required: ['username', 'password'],
  parse: (secret) => secret.credentials(),
});
database.onProblem(({ message }) => console.warn('keeping the last good credentials:', message));
for await (const { generation } of database) {
  const { username, password } = await database.ready();
  console.log('generation', generation, 'connects as', username, 'with', password.length, 'characters');
}
`;
