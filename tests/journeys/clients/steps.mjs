// What a client of the TypeScript SDKs does in each journey, whatever its version: `connect` hides
// the difference. Prints what it saw as one line of JSON; the test that started it judges.

const CART = 'catshop://cart';

const STEPS = {
  async browse({ client, call }) {
    const { tools } = await client.listTools();
    await call('add_to_cart', { product_id: 1, quantity: 2 });
    const cart = await call('view_cart');
    return { tools: tools.map((tool) => tool.name), items: cart.structuredContent.item_count };
  },

  async progress({ call }) {
    const steps = [];
    const onprogress = ({ progress, total }) => steps.push([progress, total]);
    const report = await call('restock_report', { pace_ms: 0 }, { onprogress });
    return { steps, lines: report.structuredContent.result.length };
  },

  async cancel({ call }) {
    const leaving = new AbortController();
    const options = { signal: leaving.signal, onprogress: () => leaving.abort('enough') };
    const ended = await call('restock_report', {}, options).then(
      () => 'answered',
      () => 'cancelled',
    );
    const cart = await call('view_cart');
    return { ended, afterwards: cart.structuredContent.item_count };
  },

  async elicit({ call, asked }) {
    await call('add_to_cart', { product_id: 1, quantity: 2 });
    const order = await call('checkout');
    return { asked, status: order.structuredContent.status, total: order.structuredContent.total };
  },

  async subscribe({ call, subscribe, updates }) {
    await subscribe(CART);
    await call('add_to_cart', { product_id: 1 });
    return { updated: await updates.next() };
  },

  async resume({ call }) {
    const steps = [];
    const onprogress = ({ progress }) => steps.push(progress);
    const report = await call('restock_report', { pace_ms: 50 }, { onprogress });
    return { steps, lines: report.structuredContent.result.length };
  },
};

export async function run(connect) {
  const [step, url, token] = process.argv.slice(2);
  const asked = [];
  const updates = queue();
  const answer = (request) => {
    asked.push(request.params.message);
    return { action: 'accept', content: { confirm: true } };
  };
  const connected = await connect(new URL(url), { Authorization: `Bearer ${token}` }, answer, (notice) =>
    updates.put(notice.params.uri),
  );
  const seen = await STEPS[step]({ ...connected, asked, updates });
  await connected.client.close();
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}

function queue() {
  const waiting = [];
  const kept = [];
  return {
    put: (value) => (waiting.length ? waiting.shift()(value) : kept.push(value)),
    next: () => (kept.length ? kept.shift() : new Promise((resolve) => waiting.push(resolve))),
  };
}
