// The TypeScript SDK's own server, of the 2.x line: both eras at one address, or on a pipe.
// `http` prints its address first; `http ISSUER` trusts an authorization server, which it asks about
// each token, and one of its tools wants a scope more; `stdio` is a pipe.

import { getRequestListener } from '../../../conformance/node_modules/@hono/node-server/dist/index.mjs';
import * as z from '../../../conformance/node_modules/zod/v4/index.js';
import {
  McpServer,
  OAuthError,
  OAuthErrorCode,
  ResourceTemplate,
  WebStandardStreamableHTTPServerTransport,
  acceptedContent,
  createMcpHandler,
  inputRequired,
  inputResponse,
  isLegacyRequest,
  oauthMetadataResponse,
  requireBearerAuth,
  requireScopes,
} from '../../../conformance/node_modules/@modelcontextprotocol/server/dist/index.mjs';
import { serveStdio } from '../../../conformance/node_modules/@modelcontextprotocol/server/dist/stdio.mjs';
import { BED, Events, givenUp, listening, said, sessions, waiting } from './steps.mjs';

let updated = () => {};

function build() {
  const server = new McpServer(
    { name: 'sdk-2', version: '1' },
    { capabilities: { resources: { subscribe: true } } },
  );
  const tool = (name, shape, work, more = {}) =>
    server.registerTool(name, { inputSchema: z.object(shape), ...more }, work);
  const outputSchema = z.object({ sum: z.number() });
  tool('add', { a: z.number(), b: z.number() }, ({ a, b }) => said('5', { sum: a + b }), { outputSchema });
  tool('count', { steps: z.number() }, async ({ steps }, context) => {
    for (let progress = 1; progress <= steps; progress += 1) await tell(context, progress, steps);
    return said('counted');
  });
  tool('order', {}, (_, { mcpReq }) => {
    const bed = acceptedContent(mcpReq.inputResponses, 'bed');
    if (bed) return said(`${bed.size} ${bed.soft}`);
    return ask('bed', inputRequired.elicit({ message: 'Which bed?', requestedSchema: BED }));
  });
  tool('haiku', {}, (_, { mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'haiku');
    if (answer.kind === 'sampling') return said(answer.result.content.text);
    const text = { role: 'user', content: { type: 'text', text: 'A haiku, please.' } };
    return ask('haiku', inputRequired.createMessage({ messages: [text], maxTokens: 9 }));
  });
  tool('folders', {}, (_, { mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'roots');
    if (answer.kind === 'roots') return said(answer.roots.map(({ uri }) => uri).join(' '));
    return ask('roots', inputRequired.listRoots());
  });
  tool('wait', {}, async (_, context) => {
    await tell(context, 1);
    await waiting(context.mcpReq.signal);
    return said('');
  });
  tool('was_given_up', {}, async () => said(await givenUp()));
  tool('touch', {}, async () => {
    updated('cats://mia');
    if (server.server.transport?.sessionId) await server.server.sendResourceUpdated({ uri: 'cats://mia' });
    return said('touched');
  });
  tool('leave', {}, (_, context) => {
    context.http?.closeSSE?.();
    return said('later');
  });
  tool('whoami', {}, (_, context) => said(context.http?.authInfo?.clientId ?? 'nobody'));
  tool('feed', {}, () => said('fed'), { scopeChallenge: requireScopes('cats', 'food') });
  const text = (words) => (uri) => ({ contents: [{ uri: uri.href, text: words(uri) }] });
  server.registerResource('mia', 'cats://mia', {}, text(() => 'Mia sleeps.'));
  const photo = new ResourceTemplate('cats://{name}/photo', { list: undefined });
  server.registerResource('photo', photo, {}, text((uri) => `${uri.hostname}, in ASCII.`));
  server.registerPrompt('greet', { argsSchema: z.object({ name: z.string() }) }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Say hello to ${name}.` } }],
  }));
  server.server.setRequestHandler('resources/subscribe', () => ({}));
  server.server.setRequestHandler('resources/unsubscribe', () => ({}));
  return server;
}

const ask = (key, request) => inputRequired({ inputRequests: { [key]: request } });

async function tell({ mcpReq }, progress, total) {
  const params = { progressToken: mcpReq._meta.progressToken, progress, total };
  await mcpReq.notify({ method: 'notifications/progress', params });
}

// Both eras behind one address, the way that the SDK's manual routes them.
function serve() {
  const modern = createMcpHandler(build, { legacy: 'reject' });
  updated = (uri) => modern.notify.resourceUpdated(uri);
  const eventStore = new Events();
  const find = sessions(async (options) => {
    const more = { ...options, eventStore, retryInterval: 10 };
    const transport = new WebStandardStreamableHTTPServerTransport(more);
    await build().connect(transport);
    return transport;
  });
  return async (request, options) => {
    if (!(await isLegacyRequest(request))) return modern.fetch(request, options);
    const body = request.method === 'POST' ? await request.clone().json() : undefined;
    const transport = await find(request.headers.get('mcp-session-id'), body);
    return transport ? transport.handleRequest(request, options) : new Response(null, { status: 404 });
  };
}

// The authorization server is asked about each token. RFC 7662.
function guard(base, issuer) {
  const verifyAccessToken = async (token) => {
    const body = new URLSearchParams({ token });
    const answer = await fetch(`${issuer}/introspect`, { method: 'POST', body });
    const found = await answer.json();
    if (!found.active) throw new OAuthError(OAuthErrorCode.InvalidToken, 'not active');
    return {
      token,
      clientId: found.client_id,
      scopes: found.scope.split(' '),
      expiresAt: found.exp,
      resource: new URL(found.aud),
    };
  };
  const resourceServerUrl = new URL('/mcp', base);
  return {
    gate: requireBearerAuth({
      verifier: { verifyAccessToken },
      requiredScopes: ['cats'],
      resourceMetadataUrl: `${base}/.well-known/oauth-protected-resource/mcp`,
      expectedResource: resourceServerUrl,
    }),
    metadata: async (request) => {
      const oauthMetadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
      return oauthMetadataResponse(request, { oauthMetadata, resourceServerUrl, scopesSupported: ['cats'] });
    },
  };
}

const [way, issuer] = process.argv.slice(2);
if (way === 'stdio') {
  serveStdio(build);
} else {
  let handle;
  const base = await listening(getRequestListener((request) => handle(request)));
  const mcp = serve();
  const guarded = issuer ? guard(base, issuer) : undefined;
  handle = async (request) => {
    const document = await guarded?.metadata(request);
    if (document) return document;
    const authInfo = await guarded?.gate(request);
    return authInfo instanceof Response ? authInfo : mcp(request, { authInfo });
  };
}
