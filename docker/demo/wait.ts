/**
 * Waits until it is stopped. A container that does only this holds the network that others share, as the "pause"
 * container of a pod does.
 */

process.once('SIGTERM', () => process.exit(0));
setInterval(() => {}, 2 ** 30);
