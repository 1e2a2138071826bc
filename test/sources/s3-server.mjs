/** An S3-compatible server in a process of its own: prints its port once it answers. */
import S3rver from 's3rver';

const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory: process.argv[2],
  configureBuckets: [{ name: 'laika-test' }],
});
const { port } = await server.run();
process.stdout.write(`${port}\n`);
