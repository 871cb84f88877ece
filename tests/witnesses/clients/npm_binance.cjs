// npm `binance`: REST, the aggTrade stream, and the isolated user data by listenToken.
//
// Pointed at the emulator by the options `baseUrl` (REST) and `wsUrl` (streams, WebSocket API).
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { MainClient, WebsocketClient, WebsocketAPIClient } = require('binance');

const keys = process.env.WITNESS_KEYS;
const read = (name) => fs.readFileSync(path.join(keys, name), 'utf8').trim();
const credentials = { api_key: read('binance-api-key'), api_secret: read('binance-api-secret') };
const rest = process.env.WITNESS_REST;
const quiet = { trace: () => {}, info: () => {}, error: (...words) => console.error(...words) };
const PAIR = 'BTCUSDT';
const WANTED = 5;
const within = (promise, what) =>
  Promise.race([
    promise,
    new Promise((_, reject) => setTimeout(() => reject(new Error(`${what}: nothing for 30 s`)), 30_000)),
  ]);

async function main() {
  const client = new MainClient({ ...credentials, baseUrl: rest, baseUrlKey: 'spot', disableTimeSync: true });
  const user = new WebsocketAPIClient({ ...credentials, wsUrl: process.env.WITNESS_WS, attachEventListeners: false }, quiet);
  const socket = user.getWSClient();
  const reported = new Promise((resolve) => {
    socket.on('message', (message) => {
      const event = message.event || message;
      if (event.e === 'executionReport' && event.X === 'FILLED') resolve(event);
    });
  });
  socket.on('formattedMessage', () => {});
  const token = await client.getMarginListenToken({ symbol: PAIR, isIsolated: true });
  assert.ok(token.token && token.expirationTime > Date.now());
  const subscribed = await within(
    socket.sendWSAPIRequest('mainWSAPI', 'userDataStream.subscribe.listenToken', { listenToken: token.token }, {
      authIsOptional: true,
    }),
    'subscription',
  );
  assert.strictEqual(typeof subscribed.result.subscriptionId, 'number');

  const entry = await client.marginAccountNewOrder({
    symbol: PAIR,
    side: 'BUY',
    type: 'MARKET',
    quantity: '2',
    isIsolated: 'TRUE',
    sideEffectType: 'MARGIN_BUY',
    newClientOrderId: 'npm-entry',
    newOrderRespType: 'FULL',
  });
  assert.strictEqual(entry.status, 'FILLED');
  const event = await within(reported, 'executionReport');
  assert.strictEqual(event.c, 'npm-entry');
  const order = await client.queryMarginAccountOrder({ symbol: PAIR, isIsolated: 'TRUE', origClientOrderId: 'npm-entry' });
  assert.strictEqual(order.orderId, entry.orderId);
  const trades = await client.queryMarginAccountTradeList({ symbol: PAIR, isIsolated: 'TRUE', orderId: entry.orderId });
  assert.strictEqual(trades.length, entry.fills.length);

  const before = await client.getIsolatedMarginAccountInfo({ symbols: PAIR });
  assert.ok(Number(before.assets[0].quoteAsset.borrowed) > 0);
  const steps = Math.floor(Number(before.assets[0].baseAsset.free) * 1e5 + 1e-6);
  await client.marginAccountNewOrder({
    symbol: PAIR,
    side: 'SELL',
    type: 'MARKET',
    quantity: (steps / 1e5).toFixed(5),
    isIsolated: 'TRUE',
    sideEffectType: 'AUTO_REPAY',
  });
  const after = await client.getIsolatedMarginAccountInfo({ symbols: PAIR });
  assert.strictEqual(Number(after.assets[0].quoteAsset.borrowed), 0);
  await client.submitMarginAccountBorrowRepay({ asset: 'USDT', isIsolated: 'TRUE', symbol: PAIR, amount: '12', type: 'BORROW' });
  await client.submitMarginAccountBorrowRepay({ asset: 'USDT', isIsolated: 'TRUE', symbol: PAIR, amount: '12', type: 'REPAY' });

  const market = new WebsocketClient({ wsUrl: process.env.WITNESS_WS }, quiet);
  const ids = [];
  const enough = new Promise((resolve) => {
    market.on('message', (message) => {
      const trade = message.data || message;
      if (trade.e === 'aggTrade' && ids.push(trade.a) === WANTED) resolve();
    });
  });
  market.subscribe([`${PAIR.toLowerCase()}@aggTrade`], 'main');
  await within(enough, 'aggTrade');
  assert.deepStrictEqual(ids, Array.from({ length: WANTED }, (_, index) => ids[0] + index));
  market.closeAll(true);
  socket.closeAll(true);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
