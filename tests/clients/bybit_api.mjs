// bybit-api at a simulated exchange: argv is its address, its streams' address, key and secret.
// Prints what it saw as JSON; the test judges it.
import { RestClientV5, WebsocketClient } from "bybit-api";

const [baseUrl, wsUrl, key, secret] = process.argv.slice(2);
const category = "linear";
const symbol = "BTCUSDT";
const silent = { trace() {}, info() {}, error() {} };
const rest = new RestClientV5({ key, secret, baseUrl });
const seen = { topics: {}, codes: {} };

function stream(path, topics) {
  const client = new WebsocketClient({ key, secret, market: "v5", wsUrl: wsUrl + path }, silent);
  client.on("update", (message) => {
    seen.topics[message.topic] = (seen.topics[message.topic] ?? 0) + 1;
  });
  client.on("exception", (error) => {
    seen.exception = JSON.stringify(error);
  });
  client.subscribeV5(topics, category);
  return client;
}

async function until(ask, is_meant) {
  for (let i = 0; i < 300; i++) {
    const found = await ask();
    if (is_meant(found)) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error("waited in vain");
}

async function code(name, answer) {
  seen.codes[name] = (await answer).retCode;
}

const market = stream("/v5/public/linear", ["kline.5", "tickers", "orderbook.50"].map((t) => `${t}.${symbol}`));
const account = stream("/v5/private", ["order", "execution", "position", "wallet"]);
await until(async () => seen.topics, (topics) => topics[`tickers.${symbol}`] > 0);

const { result } = await rest.getTickers({ category, symbol });
const at = (factor) => (Math.round(result.list[0].lastPrice * factor * 10) / 10).toFixed(1);
const entry = { category, symbol, side: "Buy", orderType: "Market", qty: "0.01" };
await code("entry", rest.submitOrder({ ...entry, stopLoss: at(0.97), orderLinkId: "js-entry" }));
const position = () => rest.getPositionInfo({ category, symbol });
await until(position, (found) => found.result.list[0].side === "Buy");
const stop = { category, symbol, tpslMode: "Full", positionIdx: 0 };
await code("raised stop", rest.setTradingStop({ ...stop, stopLoss: at(0.98) }));
await code("same stop", rest.setTradingStop({ ...stop, stopLoss: at(0.98) }));
await code("trailing", rest.setTradingStop({ ...stop, trailingStop: "900.0" }));
seen.stops = (await rest.getActiveOrders({ category, symbol })).result.list.map((row) => row.stopOrderType).sort();
await code("wrong qty", rest.submitOrder({ ...entry, qty: "0" }));
await code("batch", rest.batchSubmitOrders(category, [{ ...entry, orderType: "Limit", price: at(0.97) }]));
await code("cancel all", rest.cancelAllOrders({ category, symbol, orderFilter: "Order" }));
await code("exit", rest.submitOrder({ ...entry, side: "Sell", qty: "0", reduceOnly: true, closeOnTrigger: true }));
await until(position, (found) => found.result.list[0].side === "");
seen.closed = (await rest.getClosedPnL({ category, symbol })).result.list.length;
seen.executions = (await rest.getExecutionList({ category, symbol })).result.list.length;
seen.entry = (await rest.getHistoricOrders({ category, orderLinkId: "js-entry" })).result.list[0].orderStatus;
const all = [`kline.5.${symbol}`, `orderbook.50.${symbol}`, "order", "execution", "position", "wallet"];
await until(async () => seen.topics, (topics) => all.every((topic) => topics[topic] > 0));
console.log(JSON.stringify(seen));
market.closeAll(true);
account.closeAll(true);
process.exit(0);
