// The TypeScript SDK of the 1.x line, which knows the handshake era alone.

import { Client } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/client/index.js';
import { StreamableHTTPClientTransport } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/client/streamableHttp.js';
import {
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/types.js';
import { run } from './steps.mjs';

await run(async (url, headers, answer, updated) => {
  const client = new Client({ name: 'sdk-1', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, answer);
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, updated);
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }));
  return {
    client,
    call: (name, args = {}, options) => client.callTool({ name, arguments: args }, undefined, options),
    subscribe: (uri) => client.subscribeResource({ uri }),
  };
});
