// ccxt in JavaScript at a simulated exchange: argv as of bybit_api.mjs; prints what it saw as JSON.
import ccxt from "ccxt";

const [baseUrl, wsUrl, apiKey, secret] = process.argv.slice(2);
const pair = "BTC/USDT:USDT";
const exchange = new ccxt.pro.bybit({ apiKey, secret, enableRateLimit: false });
const names = (list, value) => Object.fromEntries(list.map((name) => [name, value]));
exchange.urls.api = names(["spot", "futures", "v2", "public", "private"], baseUrl);
exchange.urls.api.ws = {
  public: names(["linear", "spot", "inverse", "option"], `${wsUrl}/v5/public/linear`),
  private: {
    spot: { unified: `${wsUrl}/v5/private` },
    contract: `${wsUrl}/v5/private`,
    usdc: `${wsUrl}/v5/private`,
    trade: `${wsUrl}/v5/trade`,
  },
};
const seen = { errors: {} };

async function until(ask, is_meant) {
  for (let i = 0; i < 300; i++) {
    const found = await ask();
    if (is_meant(found)) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("waited in vain");
}

async function refused(name, ask) {
  try {
    await ask();
    seen.errors[name] = "none";
  } catch (error) {
    seen.errors[name] = error.constructor.name;
  }
}

await exchange.loadHttpProxyAgent(); // it wants one for ws:// addresses
await exchange.loadMarkets();
seen.markets = Object.keys(exchange.markets).length;
await exchange.setLeverage(5, pair);
await refused("same leverage", () => exchange.setLeverage(5, pair));
const candles = await exchange.watchOHLCV(pair, "1m");
seen.watched = { candles: candles.length, book: (await exchange.watchOrderBook(pair, 50)).bids.length };
const { last } = await exchange.fetchTicker(pair);
const orders = exchange.watchOrders(pair);
const streams = async () => (await (await fetch(`${baseUrl}/sim/state`)).json()).streams;
await until(streams, (list) => list.some((stream) => stream.topics.includes("order")));
const entry = await exchange.createOrder(pair, "market", "buy", 0.01, undefined, {
  stopLoss: { triggerPrice: last * 0.97 },
  takeProfit: { triggerPrice: last * 1.05 },
});
seen.order = (await orders)[0].status;
const position = () => exchange.fetchPosition(pair);
seen.side = (await until(position, (found) => found.contracts > 0)).side;
seen.stops = (await exchange.fetchOpenOrders(pair)).length;
const resting = await exchange.createOrderWs(pair, "limit", "buy", 0.01, last * 0.97);
await exchange.editOrderWs(resting.id, pair, "limit", "buy", 0.02, last * 0.96);
await exchange.cancelOrderWs(resting.id, pair);
const stop = await exchange.createOrder(pair, "market", "sell", 0.01, undefined, {
  triggerPrice: last * 0.96,
  triggerDirection: "descending",
  reduceOnly: true,
});
await exchange.cancelOrder(stop.id, pair, { trigger: true });
await refused("too dear", () => exchange.createOrder(pair, "market", "buy", 100));
await refused("gone", () => exchange.cancelOrder("none", pair));
await exchange.createOrder(pair, "market", "sell", 0.01, undefined, { reduceOnly: true });
await until(position, (found) => !found.contracts);
const closed = await until(() => exchange.fetchClosedOrders(pair), (list) => list.length > 1);
seen.closed = closed.some((order) => order.id === entry.id);
seen.trades = (await exchange.fetchMyTrades(pair)).length;
seen.history = (await exchange.fetchPositionsHistory([pair])).length;
seen.public = {
  trades: (await exchange.fetchTrades(pair)).length > 0,
  interest: (await exchange.fetchOpenInterestHistory(pair, "1h")).length > 0,
  funding: (await exchange.fetchFundingRateHistory(pair)).length > 0,
  days: (await exchange.fetchOHLCV(pair, "1d")).length > 0,
  mark: (await exchange.fetchMarkOHLCV(pair, "1h")).length > 0,
};
seen.balance = (await exchange.fetchBalance()).USDT.total;
console.log(JSON.stringify(seen));
await exchange.close();
process.exit(0);
