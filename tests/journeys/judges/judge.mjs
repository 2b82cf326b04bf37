// What every judge does, whoever wrote it: its steps, and how it talks to the test that started it.
// A line that it prints with `open` names a page for the person at the browser, who answers with
// the address at which the browser arrived; the last line, `seen`, is what the judge saw.

import { createInterface } from 'node:readline';

export const CALLBACK = 'http://127.0.0.1:47111/callback';
export const CODE = ['authorization_code', 'refresh_token'];
export const DEVICE = ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'];
export const ITSELF = ['client_credentials'];

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export async function visit(url) {
  process.stdout.write(`${JSON.stringify({ open: String(url) })}\n`);
  return new URL((await answers.next()).value);
}

// What a client registers that proves itself by that method and asks for these grants.
export const registration = (method, grants, more) => ({
  client_name: 'A judge',
  grant_types: grants,
  ...(grants.includes('authorization_code') ? { redirect_uris: [CALLBACK] } : {}),
  token_endpoint_auth_method: method,
  ...more,
});

// The public half of a key pair, as a set that a client registers.
export async function published({ publicKey }, alg) {
  const jwk = await crypto.subtle.exportKey('jwk', publicKey);
  const { kty, crv, n, e, x, y } = jwk;
  return { keys: [{ kty, crv, n, e, x, y, alg, use: 'sig', kid: 'judge' }] };
}

// What asks the shop for its tools, without a session: headers and body of a POST to /mcp.
const MODERN = '2026-07-28';
const about = 'io.modelcontextprotocol';
export const LISTING = {
  headers: new Headers({
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': MODERN,
    'mcp-method': 'tools/list',
  }),
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/list',
    params: {
      _meta: {
        [`${about}/protocolVersion`]: MODERN,
        [`${about}/clientInfo`]: { name: 'judge', version: '1' },
        [`${about}/clientCapabilities`]: {},
      },
    },
  }),
};

// The status of the same request by a thief, who has the token alone.
export async function stolen(url, token) {
  const headers = new Headers(LISTING.headers);
  headers.set('authorization', `Bearer ${token}`);
  return (await fetch(url, { method: 'POST', headers, body: LISTING.body })).status;
}

export async function run(steps) {
  const [step, issuer, method] = process.argv.slice(2);
  const seen = await steps[step](new URL(issuer), method);
  process.stdout.write(`${JSON.stringify({ seen })}\n`);
  process.exit(0);
}
