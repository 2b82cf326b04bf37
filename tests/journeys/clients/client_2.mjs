// The TypeScript client of the 2.x line, which knows both eras; the last argument says which.

import {
  Client,
  StreamableHTTPClientTransport,
} from '../../../conformance/node_modules/@modelcontextprotocol/client/dist/index.mjs';
import { run } from './steps.mjs';

const era = process.argv[5];
const mode = era === 'handshake' ? 'legacy' : { pin: '2026-07-28' };

await run(async (url, headers, answer, updated) => {
  const client = new Client(
    { name: 'client-2', version: '1' },
    { capabilities: { elicitation: {} }, versionNegotiation: { mode } },
  );
  client.setRequestHandler('elicitation/create', answer);
  client.setNotificationHandler('notifications/resources/updated', updated);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  return {
    client,
    call: (name, args = {}, options) => client.callTool({ name, arguments: args }, options),
    subscribe: (uri) =>
      era === 'handshake' ? client.subscribeResource({ uri }) : client.listen({ resourceSubscriptions: [uri] }),
  };
});
