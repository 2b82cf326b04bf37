// The TypeScript SDK's own server, of the 1.x line, which knows the handshake era alone.
// `http` prints its address first; `http own` is guarded by the SDK's authorization server and the
// provider of its examples; `stdio` is a pipe.

import express from '../../../conformance/node_modules/express/index.js';
import * as z from '../../../conformance/node_modules/zod/v4/index.js';
import {
  McpServer,
  ResourceTemplate,
} from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/server/mcp.js';
import { mcpAuthRouter } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/server/auth/router.js';
import { requireBearerAuth } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/server/auth/middleware/bearerAuth.js';
import { StdioServerTransport } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/server/stdio.js';
import { StreamableHTTPServerTransport } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/server/streamableHttp.js';
import { DemoInMemoryAuthProvider } from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/examples/server/demoInMemoryOAuthProvider.js';
import {
  ListRootsResultSchema,
  ListToolsRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '../../../conformance/node_modules/@modelcontextprotocol/sdk/dist/esm/types.js';
import { BED, Events, givenUp, listening, said, sessions, waiting } from './steps.mjs';

function build() {
  const server = new McpServer(
    { name: 'sdk-1', version: '1' },
    { capabilities: { resources: { subscribe: true } } },
  );
  const tool = (name, inputSchema, work, outputSchema) =>
    server.registerTool(name, { inputSchema, outputSchema }, work);
  const numbers = { a: z.number(), b: z.number() };
  tool('add', numbers, ({ a, b }) => said('5', { sum: a + b }), { sum: z.number() });
  tool('count', { steps: z.number() }, async ({ steps }, extra) => {
    for (let progress = 1; progress <= steps; progress += 1) await tell(extra, progress, steps);
    return said('counted');
  });
  tool('order', {}, async (_, extra) => {
    const params = { message: 'Which bed?', requestedSchema: BED };
    const { content } = await server.server.elicitInput(params, { relatedRequestId: extra.requestId });
    return said(`${content.size} ${content.soft}`);
  });
  tool('haiku', {}, async (_, extra) => {
    const text = { role: 'user', content: { type: 'text', text: 'A haiku, please.' } };
    const related = { relatedRequestId: extra.requestId };
    return said((await server.server.createMessage({ messages: [text], maxTokens: 9 }, related)).content.text);
  });
  tool('folders', {}, async (_, extra) => {
    const { roots } = await extra.sendRequest({ method: 'roots/list' }, ListRootsResultSchema);
    return said(roots.map(({ uri }) => uri).join(' '));
  });
  tool('wait', {}, async (_, extra) => {
    await tell(extra, 1);
    await waiting(extra.signal);
    return said('');
  });
  tool('was_given_up', {}, async () => said(await givenUp()));
  tool('touch', {}, async () => {
    await server.server.sendResourceUpdated({ uri: 'cats://mia' });
    return said('touched');
  });
  tool('leave', {}, async (_, extra) => {
    extra.closeSSEStream?.();
    return said('later');
  });
  tool('whoami', {}, async (_, extra) => said(extra.authInfo?.clientId ?? 'nobody'));
  const text = (words) => (uri) => ({ contents: [{ uri: uri.href, text: words(uri) }] });
  server.registerResource('mia', 'cats://mia', {}, text(() => 'Mia sleeps.'));
  const photo = new ResourceTemplate('cats://{name}/photo', { list: undefined });
  server.registerResource('photo', photo, {}, text((uri) => `${uri.hostname}, in ASCII.`));
  server.registerPrompt('greet', { argsSchema: { name: z.string() } }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }],
  }));
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  page(server.server);
  return server;
}

// McpServer lists everything at once: here its own list is cut into pages of three.
function page(server) {
  const all = server._requestHandlers.get('tools/list');
  server.setRequestHandler(ListToolsRequestSchema, async (request, extra) => {
    const { tools } = await all(request, extra);
    const at = Number(request.params?.cursor ?? 0);
    const next = at + 3 < tools.length ? { nextCursor: String(at + 3) } : {};
    return { tools: tools.slice(at, at + 3), ...next };
  });
}

async function tell(extra, progress, total) {
  const params = { progressToken: extra._meta.progressToken, progress, total };
  await extra.sendNotification({ method: 'notifications/progress', params });
}

// The provider of the SDK's examples, which cannot refresh: this one can, once for each token.
class Provider extends DemoInMemoryAuthProvider {
  async exchangeAuthorizationCode(client, code) {
    const given = await super.exchangeAuthorizationCode(client, code);
    return { ...given, refresh_token: `refresh-${given.access_token}` };
  }
  async exchangeRefreshToken(client, refreshToken) {
    const held = this.tokens.get(refreshToken.slice('refresh-'.length));
    if (held?.clientId !== client.client_id) throw new Error('unknown');
    const token = crypto.randomUUID();
    this.tokens.delete(held.token);
    this.tokens.set(token, { ...held, token, expiresAt: Date.now() + 3_600_000 });
    return {
      access_token: token,
      token_type: 'bearer',
      expires_in: 3600,
      refresh_token: `refresh-${token}`,
      scope: held.scopes.join(' '),
    };
  }
}

function guard(app, base) {
  const provider = new Provider();
  const mcp = new URL('/mcp', base);
  app.use(
    mcpAuthRouter({
      provider,
      issuerUrl: new URL(base),
      resourceServerUrl: mcp,
      scopesSupported: ['cats'],
    }),
  );
  const resourceMetadataUrl = `${base}/.well-known/oauth-protected-resource/mcp`;
  app.use(
    '/mcp',
    requireBearerAuth({
      verifier: provider,
      requiredScopes: ['cats'],
      resourceMetadataUrl,
      expectedResource: mcp,
    }),
  );
}

const [way, own] = process.argv.slice(2);
if (way === 'stdio') {
  await build().connect(new StdioServerTransport());
} else {
  const app = express();
  const base = await listening(app);
  if (own) guard(app, base);
  app.use(express.json());
  const events = new Events();
  const find = sessions((options) => {
    const transport = new StreamableHTTPServerTransport({
      ...options,
      eventStore: events,
      retryInterval: 10,
    });
    return build().connect(transport).then(() => transport);
  });
  app.all('/mcp', async (request, response) => {
    const transport = await find(request.headers['mcp-session-id'], request.body);
    if (!transport) return response.status(404).end();
    return transport.handleRequest(request, response, request.body);
  });
}
