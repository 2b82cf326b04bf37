// What the TypeScript servers share: a port, an event store, sessions, and a call that waits.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

/** A form with defaults. */
export const BED = {
  type: 'object',
  properties: {
    size: { type: 'string', default: 'large' },
    soft: { type: 'boolean', default: true },
  },
};

/** The result of a call. */
export const said = (text, structuredContent) => ({
  content: [{ type: 'text', text }],
  ...(structuredContent && { structuredContent }),
});

/** Listen with `handle`, and print the address for whoever started us. */
export async function listening(handle) {
  const server = createServer(handle);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  process.stdout.write(`${base}\n`);
  return base;
}

let cancelled = Promise.withResolvers();

/** Wait until the call is cancelled. */
export function waiting(signal) {
  const mine = (cancelled = Promise.withResolvers());
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      mine.resolve('given up');
      resolve();
    });
  });
}

/** What there is to say once it was. */
export const givenUp = () => cancelled.promise;

/** What was sent, in order. */
export class Events {
  #kept = [];
  async storeEvent(streamId, message) {
    this.#kept.push([streamId, message]);
    return String(this.#kept.length);
  }
  async getStreamIdForEventId(id) {
    return this.#kept[id - 1]?.[0];
  }
  async replayEventsAfter(id, { send }) {
    const [streamId] = this.#kept[id - 1];
    const later = [...this.#kept.entries()].slice(id);
    for (const [at, [other, message]] of later) {
      if (other === streamId && Object.keys(message).length) await send(String(at + 1), message);
    }
    return streamId;
  }
}

/** The transport of a session, a new one for an `initialize`, else nothing. */
export function sessions(open) {
  const known = new Map();
  return async (id, body) => {
    if (id) return known.get(id);
    if (body?.method !== 'initialize') return undefined;
    const fresh = randomUUID();
    const transport = await open({
      sessionIdGenerator: () => fresh,
      onsessionclosed: () => known.delete(fresh),
    });
    known.set(fresh, transport);
    return transport;
  };
}
