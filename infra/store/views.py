"""SQL views for users: facts as tables of readable numbers and times.

`UTC_TEXT(ms)` and `UTC_DAY(ms)` stand for the equivalent expression of each database.
"""

VIEWS = """
CREATE VIEW assets AS
SELECT a.asset, a.symbol,
    CAST(a.allocation_fraction AS NUMERIC) AS allocation_fraction,
    CAST(a.leverage AS NUMERIC) AS leverage,
    CAST(a.qty_step AS NUMERIC) AS qty_step,
    CAST(a.tick_size AS NUMERIC) AS tick_size,
    CAST(a.min_notional AS NUMERIC) AS min_notional,
    a.correlation_group,
    UTC_TEXT(f.recorded_ms) AS since_utc
FROM asset a JOIN fact f ON f.id = a.fact_id
WHERE a.fact_id IN (SELECT MAX(fact_id) FROM asset GROUP BY asset);
CREATE VIEW market_data AS
SELECT asset, UTC_TEXT(open_time_ms) AS open_utc, open_time_ms, close_time_ms,
    open, high, low, close, volume
FROM candle;
CREATE VIEW trades AS
SELECT fact_id, asset,
    CASE side WHEN 'SELL' THEN 'short' ELSE 'long' END AS direction,
    UTC_TEXT(entry_ms) AS entry_utc,
    UTC_TEXT(exit_ms) AS exit_utc,
    UTC_DAY(exit_ms) AS day,
    (exit_ms - entry_ms) / 60000.0 AS held_minutes,
    CAST(qty AS NUMERIC) AS qty,
    CAST(entry_price AS NUMERIC) AS entry_price,
    CAST(exit_price AS NUMERIC) AS exit_price,
    CAST(fees AS NUMERIC) AS fees,
    CAST(funding AS NUMERIC) AS funding,
    CAST(pnl AS NUMERIC) AS pnl,
    CAST(pnl AS NUMERIC) * 1.0 / (CAST(qty AS NUMERIC) * CAST(entry_price AS NUMERIC))
        AS return_fraction,
    reason, entry_ms, exit_ms
FROM trade;
CREATE VIEW positions AS
WITH fills AS (
    SELECT fact_id, asset, side, kind, ts_ms,
        CAST(price AS NUMERIC) AS price,
        CAST(fee AS NUMERIC) AS fee,
        CAST(funding AS NUMERIC) AS funding,
        CASE WHEN kind = 'FUNDING' THEN 0 WHEN side = 'BUY' THEN CAST(qty AS NUMERIC)
            ELSE -CAST(qty AS NUMERIC) END AS signed_qty
    FROM execution
), held AS (
    SELECT fills.*, ROUND(SUM(signed_qty) OVER (PARTITION BY asset ORDER BY fact_id), 12) AS qty
    FROM fills
), flat AS (
    SELECT asset, MAX(fact_id) AS fact_id FROM held WHERE qty = 0 GROUP BY asset
), opened AS (
    SELECT held.* FROM held LEFT JOIN flat ON flat.asset = held.asset
    WHERE held.fact_id > COALESCE(flat.fact_id, 0)
), net AS (
    SELECT asset, ROUND(SUM(signed_qty), 12) AS qty, MIN(ts_ms) AS opened_ms,
        SUM(fee) AS fees, SUM(funding) AS funding
    FROM opened GROUP BY asset
), entry AS (
    SELECT opened.asset, SUM(signed_qty * price) * 1.0 / SUM(signed_qty) AS price
    FROM opened JOIN net ON net.asset = opened.asset
    WHERE opened.signed_qty * net.qty > 0 GROUP BY opened.asset
), mark AS (
    SELECT asset, close FROM candle
    WHERE (asset, open_time_ms) IN (SELECT asset, MAX(open_time_ms) FROM candle GROUP BY asset)
)
SELECT net.asset,
    CASE WHEN net.qty < 0 THEN 'short' ELSE 'long' END AS direction,
    UTC_TEXT(net.opened_ms) AS opened_utc,
    ABS(net.qty) AS qty,
    entry.price AS entry_price,
    mark.close AS newest_close,
    (mark.close - entry.price) * net.qty AS unrealized_pnl,
    net.fees, net.funding, net.opened_ms
FROM net JOIN entry ON entry.asset = net.asset LEFT JOIN mark ON mark.asset = net.asset;
CREATE VIEW daily_performance AS
WITH by_asset AS (
    SELECT day, asset, COUNT(*) AS trades,
        SUM(CASE WHEN pnl > 0 THEN 1 ELSE 0 END) AS wins,
        SUM(pnl) AS pnl, SUM(fees) AS fees, SUM(funding) AS funding
    FROM trades GROUP BY day, asset
), whole AS (
    SELECT day, SUM(trades) AS trades, SUM(wins) AS wins,
        SUM(pnl) AS pnl, SUM(fees) AS fees, SUM(funding) AS funding
    FROM by_asset GROUP BY day
), newest AS (
    SELECT UTC_DAY(t_ms) AS day, MAX(fact_id) AS fact_id FROM equity_sample GROUP BY UTC_DAY(t_ms)
), days AS (
    SELECT day FROM newest UNION SELECT day FROM whole
)
SELECT day, asset, trades, wins, pnl, fees, funding,
    CAST(NULL AS NUMERIC) AS start_equity, CAST(NULL AS NUMERIC) AS end_equity,
    CAST(NULL AS NUMERIC) AS end_drawdown_fraction
FROM by_asset
UNION ALL
SELECT days.day, 'all', COALESCE(whole.trades, 0), COALESCE(whole.wins, 0),
    COALESCE(whole.pnl, 0), COALESCE(whole.fees, 0), COALESCE(whole.funding, 0),
    CAST(e.day_start_equity AS NUMERIC), CAST(e.equity AS NUMERIC),
    1 - CAST(e.equity AS NUMERIC) * 1.0 / CAST(e.peak_equity AS NUMERIC)
FROM days LEFT JOIN whole ON whole.day = days.day
LEFT JOIN newest ON newest.day = days.day
LEFT JOIN equity_sample e ON e.fact_id = newest.fact_id;
"""
NAMES = ("assets", "market_data", "positions", "trades", "daily_performance")
"""Names of the views."""
