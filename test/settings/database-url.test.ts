import { describe, expect, test } from 'vitest'
import { readDatabaseUrl } from '../../src/settings/database-url.ts'

describe('DATABASE_URL', () => {
  test.each([
    'postgres://db/beacon',
    'postgresql://me:s%2Fcret@db.internal:5433/beacon?sslmode=require',
    'postgresql:///beacon?host=/var/run/postgresql',
    'postgresql://db/beacon?target_session_attrs=read-write',
  ])('%s names one server, and is passed on as it is', (text) => {
    expect(readDatabaseUrl(text)).toEqual([{ host: expect.any(String), port: expect.any(Number), url: text }])
  })

  test.each([
    'postgresql://me:secret@a:5433,[::1],c:5434/beacon?sslmode=require&target_session_attrs=read-write',
    'postgresql://me:secret@/beacon?host=a,::1,c&port=5433,5432,5434&sslmode=require',
  ])('%s names several, each with a URL of its own', (text) => {
    expect(readDatabaseUrl(text)).toEqual([
      { host: 'a', port: 5_433, url: 'postgresql://me:secret@a:5433/beacon?sslmode=require' },
      { host: '::1', port: 5_432, url: 'postgresql://me:secret@[::1]:5432/beacon?sslmode=require' },
      { host: 'c', port: 5_434, url: 'postgresql://me:secret@c:5434/beacon?sslmode=require' },
    ])
  })

  test.each([
    ['mysql://db', /^is not a URL of the form postgres:\/\/host or postgresql:\/\/host/],
    ['db.internal:5432', /^is not a URL/],
    ['postgres://a:1,b:99999/beacon', /^is not a URL/],
    ['postgres://a/beacon?host=a,b,c&port=1,2', /^is not a URL/],
    [
      'postgres://a,b/beacon?target_session_attrs=standby',
      /^has target_session_attrs=standby: the tables are written/,
    ],
    ['postgres://a/beacon?target_session_attrs=read-only', /^has target_session_attrs=read-only/],
  ])('%s is refused', (text, message) => {
    expect(readDatabaseUrl(text)).toMatch(message)
  })
})
