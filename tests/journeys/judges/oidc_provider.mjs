// oidc-provider: a certified issuer, with its own sign-in pages, on a free port of this machine.
// It prints its address, and obeys lines of JSON: who its clients are, who is locked out, whether
// it is down. Every answer to a line is the line again, once it has been obeyed.

import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from '../../../conformance/node_modules/oidc-provider/lib/index.js';

const state = { lockedOut: [], down: false };
let handle = (_, response) => response.writeHead(503).end();

const server = createServer((request, response) =>
  state.down ? response.writeHead(503).end() : handle(request, response),
);
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: issuer() })}\n`);
});
const issuer = () => `http://127.0.0.1:${server.address().port}`;

function provider({ clients, resources }) {
  return new Provider(issuer(), {
    clients,
    scopes: ['openid', 'offline_access', 'read', 'write'],
    claims: { openid: ['sub', 'preferred_username'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['a key that is used once'] },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    findAccount: (_, id) =>
      state.lockedOut.includes(id)
        ? undefined
        : { accountId: id, claims: async () => ({ sub: id, preferred_username: id }) },
    features: {
      devInteractions: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: resources[resource],
        }),
      },
    },
  });
}

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  if (asked.clients) handle = provider(asked).callback();
  else Object.assign(state, asked);
  process.stdout.write(`${line}\n`);
}
