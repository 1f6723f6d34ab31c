import { describe, expect, test } from 'vitest'
import { InvalidInput } from '../../src/fault.ts'
import { readEnvironment } from '../support/read-environment.ts'

test('nothing set is the embedded engines, on loopback, within the budget', () => {
  expect(readEnvironment({})).toEqual({
    dataDir: '.beacon',
    httpBasePath: '',
    httpHost: '127.0.0.1',
    httpPort: 3000,
    logLevel: 'info',
    unlimitedBudget: false,
    baseUrls: {},
  })
})

test('an empty variable counts as unset', () => {
  const names = [
    'DATABASE_URL',
    'REDIS_URL',
    'BEACON_CONFIG',
    'BEACON_DATA_DIR',
    'BEACON_HTTP_PORT',
    'BEACON_HTTP_PASSWORD',
    'BEACON_LOG_LEVEL',
    'BEACON_BUDGET',
    'COINGECKO_API_KEY',
    'BINANCE_BASE_URL',
  ]
  expect(readEnvironment(Object.fromEntries(names.map((name) => [name, ''])))).toEqual(readEnvironment({}))
})

test('every variable arrives under its name', () => {
  expect(
    readEnvironment({
      DATABASE_URL: 'postgres://me@db/beacon',
      REDIS_URL: 'rediss://cache:6380/1',
      BEACON_CONFIG: 'mine.yaml',
      BEACON_DATA_DIR: '/data',
      BEACON_HTTP_HOST: '0.0.0.0',
      BEACON_HTTP_PORT: '0',
      BEACON_HTTP_PASSWORD: 'long enough',
      BEACON_HTTP_BASE_PATH: '/hub/beacon/',
      BEACON_TRUST_PROXY: '10.0.0.0/8, ::1',
      BEACON_LOG_LEVEL: 'debug',
      BEACON_BUDGET: 'unlimited',
      COINGECKO_API_KEY: 'CG-key',
      PATH: '/usr/bin',
    }),
  ).toEqual({
    databaseUrl: 'postgres://me@db/beacon',
    redisUrl: 'rediss://cache:6380/1',
    configFile: 'mine.yaml',
    dataDir: '/data',
    httpHost: '0.0.0.0',
    httpPort: 0,
    httpPassword: 'long enough',
    httpBasePath: '/hub/beacon',
    trustProxy: ['10.0.0.0/8', '::1'],
    logLevel: 'debug',
    unlimitedBudget: true,
    coingeckoApiKey: 'CG-key',
    baseUrls: {},
  })
})

test.each(['beacon', '/a b', '/../etc', '/a//b', 'https://x/y', '/a?b'])('%s is not a base path', (path) => {
  expect(() => readEnvironment({ BEACON_HTTP_BASE_PATH: path })).toThrow(
    /BEACON_HTTP_BASE_PATH is not a path/,
  )
})

test('the number of proxies is a number', () => {
  expect(readEnvironment({ BEACON_TRUST_PROXY: '1' }).trustProxy).toBe(1)
})

test.each(['0', '11', 'true', '*', '10.0.0.0/0', '10.0.0.0/33', '10.0.0', '::1/129', 'nginx', '10.0.0.1,'])(
  '%s is no proxy to trust',
  (proxies) => {
    expect(() => readEnvironment({ BEACON_TRUST_PROXY: proxies })).toThrow(/BEACON_TRUST_PROXY is neither/)
  },
)

test('what was read cannot be changed', () => {
  expect(Object.isFrozen(readEnvironment({}))).toBe(true)
})

describe('the traces of jobs', () => {
  const tracesUrl = (variables: Record<string, string>) => readEnvironment(variables).tracesUrl
  const everything = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }

  test('go below the address for all signals, or to one of their own', () => {
    expect(tracesUrl({})).toBeUndefined()
    expect(tracesUrl(everything)).toBe('http://collector:4318/v1/traces')
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://tempo/otlp?tenant=1' }
    expect(tracesUrl({ ...everything, ...own })).toBe('https://tempo/otlp?tenant=1')
  })

  test('are switched off by the variables that switch them off elsewhere', () => {
    expect(tracesUrl({ ...everything, OTEL_SDK_DISABLED: 'True' })).toBeUndefined()
    expect(tracesUrl({ ...everything, OTEL_TRACES_EXPORTER: 'none' })).toBeUndefined()
    expect(
      tracesUrl({ ...everything, OTEL_SDK_DISABLED: 'false', OTEL_TRACES_EXPORTER: 'otlp' }),
    ).toBeDefined()
  })
})

describe('mistakes', () => {
  test('are all named in one message', () => {
    const read = () =>
      readEnvironment({
        DATABASE_URL: 'mysql://db',
        REDIS_URL: 'localhost:6379',
        BEACON_HTTP_PORT: '70000',
        BEACON_HTTP_PASSWORD: 'short',
        BEACON_LOG_LEVEL: 'loud',
        BEACON_BUDGET: 'none',
        BINANCE_BASE_URL: 'ftp://mirror',
        COINGECKO_BASE_URL: 'mirror',
        OTEL_EXPORTER_OTLP_ENDPOINT: 'localhost:4318',
      })
    expect(read).toThrow(InvalidInput)
    for (const part of [
      'DATABASE_URL is not a URL of the form postgres://host or postgresql://host',
      'REDIS_URL is not a URL of the form redis://host or rediss://host',
      'BEACON_HTTP_PORT',
      'BEACON_HTTP_PASSWORD is shorter than 8 characters',
      'BEACON_LOG_LEVEL is none of debug, info, warn, error, silent',
      'BEACON_BUDGET is not "unlimited"',
      'BINANCE_BASE_URL is not a URL of the form http://host or https://host',
      'COINGECKO_BASE_URL is not a URL',
      'OTEL_EXPORTER_OTLP_ENDPOINT is not a URL',
    ]) {
      expect(read).toThrow(part)
    }
  })

  test.each(['http', '3000x', '-1', '80.5'])('%j is not a port', (port) => {
    expect(() => readEnvironment({ BEACON_HTTP_PORT: port })).toThrow('BEACON_HTTP_PORT')
  })

  test('never quote what was set: it may hold a password', () => {
    const secret = 'canary-7d1c'
    const read = () =>
      readEnvironment({
        DATABASE_URL: `mysql://me:${secret}@db`,
        REDIS_URL: `http://:${secret}@cache`,
        BINANCE_BASE_URL: `ftp://${secret}@mirror`,
      })
    expect(read).toThrow(InvalidInput)
    expect(read).not.toThrow(secret)
  })
})

describe('the only host of a source', () => {
  test('is named after it, and loses its last slashes', () => {
    const { baseUrls } = readEnvironment({
      BINANCE_BASE_URL: 'http://127.0.0.1:9000//',
      COINGECKO_BASE_URL: 'https://mirror/coingecko',
      MTGOX_BASE_URL: 'not even a URL, but no source of ours',
    })
    expect(baseUrls).toEqual({
      binance: 'http://127.0.0.1:9000',
      coingecko: 'https://mirror/coingecko',
    })
  })
})
