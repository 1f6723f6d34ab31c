/** Series by name and labels, with their values in promtool's notation: one a minute. */
export type Series = Readonly<Record<string, string>>

/** When an alert fires, and the nearest case in which it must not. */
export type AlertCase = Readonly<{ alert: string; minutes: number; fires: Series; silent: Series }>

const always = (value: number | string) => `${value}x3000`
const oneSeries = (series: string, firing: number, silent: number): Pick<AlertCase, 'fires' | 'silent'> => ({
  fires: { [series]: always(firing) },
  silent: { [series]: always(silent) },
})
/** A counter that stands at 0, then has `by` more, and stays there. */
const steps = (by: number) => `0x9 ${by}x2000`

const failedRuns = 'beacon_job_runs_total{job="beacon",task="sync-coins",queue="coingecko",status="failed"}'
const requests = (outcome: string) => `beacon_source_requests_total{source="binance",outcome="${outcome}"}`
const lastSuccess = (task: string) => `beacon_job_last_success_timestamp_seconds{job="beacon",task="${task}"}`
const missing = 'beacon_candles_missing{source="binance",timeframe="1m"}'
const connections = (active: number): Series => ({
  'beacon_database_connections{state="active"}': always(active),
  'beacon_database_connections{state="idle"}': always(10),
  beacon_database_connections_max: always(100),
})
const disk = (growth: number): Series => ({
  beacon_database_bytes: `1000+${growth}x3000`,
  beacon_database_disk_free_bytes: always(1_000_000),
})
const budget = (perMinute: number): Series => ({
  'beacon_budget_points_total{source="binance",lane="live"}': `0+${perMinute}x3000`,
  'beacon_budget_allowed_points_per_second{source="binance"}': always(1),
})

export const alertCases: readonly AlertCase[] = [
  { alert: 'BeaconDown', minutes: 5, ...oneSeries('up{job="beacon",instance="a"}', 0, 1) },
  { alert: 'BeaconFiguresMissing', minutes: 10, ...oneSeries('beacon_collector_up{collector="jobs"}', 0, 1) },
  { alert: 'BeaconNoWorkers', minutes: 10, ...oneSeries('beacon_workers_present', 0, 1) },
  { alert: 'BeaconQueuePaused', minutes: 70, ...oneSeries('beacon_queue_paused{queue="binance"}', 1, 0) },
  {
    alert: 'BeaconSeriesStale',
    minutes: 20,
    ...oneSeries('beacon_series{source="binance",timeframe="1m",state="stale"}', 3, 0),
  },
  {
    alert: 'BeaconSeriesEmpty',
    minutes: 70,
    ...oneSeries('beacon_series{source="binance",timeframe="1m",state="empty"}', 3, 0),
  },
  {
    alert: 'BeaconCandlesStayOwed',
    minutes: 200,
    fires: { [missing]: always(50) },
    silent: { [missing]: '5000-1x3000' },
  },
  { alert: 'BeaconPricesOld', minutes: 20, ...oneSeries('beacon_price_age_seconds', 1_801, 1_800) },
  {
    alert: 'BeaconSourceBanned',
    minutes: 5,
    ...oneSeries('beacon_source_stopped{source="binance",kind="banned"}', 1, 0),
  },
  {
    alert: 'BeaconSourceUnserved',
    minutes: 40,
    ...oneSeries('beacon_source_stopped{source="binance",kind="unserved"}', 1, 0),
  },
  {
    alert: 'BeaconSourceSlowsUsDown',
    minutes: 30,
    fires: { 'beacon_source_pauses_total{source="binance",kind="slow-down"}': '0+1x3000' },
    silent: { 'beacon_source_pauses_total{source="binance",kind="slow-down"}': steps(2) },
  },
  {
    alert: 'BeaconSourceFailing',
    minutes: 60,
    fires: { [requests('ok')]: '0+60x3000', [requests('unavailable')]: '0+30x3000' },
    silent: {
      [requests('ok')]: '0+60x3000',
      [requests('unavailable')]: '0+6x3000',
      [requests('held-back')]: '0+600x3000',
    },
  },
  { alert: 'BeaconBudgetUsedUp', minutes: 60, fires: budget(55), silent: budget(40) },
  {
    alert: 'BeaconRunsFailing',
    minutes: 20,
    fires: { [failedRuns]: steps(1) },
    silent: { [failedRuns]: always(7), [failedRuns.replace('failed', 'done')]: '0+1x3000' },
  },
  {
    alert: 'BeaconRunsPartial',
    minutes: 120,
    fires: { [failedRuns.replace('"failed"', '"partial"')]: '0+1x3000' },
    silent: { [failedRuns.replace('"failed"', '"partial"')]: steps(1) },
  },
  {
    alert: 'BeaconPartitionsNotEnsured',
    minutes: 200,
    fires: { [lastSuccess('ensure-partitions')]: always(0) },
    silent: { [lastSuccess('ensure-partitions')]: '0+60x3000', [lastSuccess('sync-coins')]: always(0) },
  },
  {
    alert: 'BeaconJobOverdue',
    minutes: 27 * 60,
    fires: { [lastSuccess('sync-coins')]: always(0) },
    silent: { [lastSuccess('sync-coins')]: '0+60x3000', [lastSuccess('backfill-candles')]: always(0) },
  },
  {
    alert: 'BeaconPartitionsRunOut',
    minutes: 40,
    ...oneSeries('beacon_partitions_ahead_seconds{table="ohlcv_data_1m"}', 86_399, 86_400),
  },
  {
    alert: 'BeaconCandlesQuarantined',
    minutes: 30,
    fires: { 'beacon_candles_total{source="binance",timeframe="1m",result="quarantined"}': steps(30) },
    silent: {
      'beacon_candles_total{source="binance",timeframe="1m",result="quarantined"}': steps(5),
      'beacon_candles_total{source="binance",timeframe="1m",result="new"}': '0+60x3000',
    },
  },
  {
    alert: 'BeaconMarketsGone',
    minutes: 70,
    ...oneSeries('beacon_markets{source="binance",state="ended"}', 1, 0),
  },
  {
    alert: 'BeaconDatabaseUnsampled',
    minutes: 20,
    ...oneSeries('beacon_database_sample_age_seconds', 301, 300),
  },
  { alert: 'BeaconConnectionsUsedUp', minutes: 20, fires: connections(71), silent: connections(70) },
  {
    alert: 'BeaconConnectionsWaitedFor',
    minutes: 20,
    ...oneSeries('beacon_pool_connections{state="waiting"}', 1, 0),
  },
  { alert: 'BeaconDiskFillsUp', minutes: 300, fires: disk(120), silent: disk(80) },
  { alert: 'BeaconIncidentOpen', minutes: 40, ...oneSeries('beacon_incidents_open', 1, 0) },
]
