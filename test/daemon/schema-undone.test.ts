import { expect, test } from 'vitest'
import { openSite } from '../cli/support/site.ts'
import { untilReady } from './ready.ts'

test('a migration is not undone below a daemon, and with --yes the daemon reports it and stops', async () => {
  await using site = await openSite({ config: 'track: [bitcoin]\n' })
  const daemon = site.start('start --roles scheduler,worker')
  await untilReady(daemon)
  expect(await site.run('migrate down')).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'error: daemons are running on this database (roles: scheduler, worker). Stop them first, or have them stop by themselves with: beacon migrate down --yes\n',
  })
  const { code, stdout } = await site.run('migrate down --yes')
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^Undid \d{4}_\w+\.\n$/) })
  const ended = await daemon.ended
  expect(ended.code).toBe(1)
  expect(ended.stderr).toMatch(
    /\nerror: the schema is older than this version needs: \d{4}_\w+ was undone by hand\. Apply it again with: beacon migrate up, [^\n]*\n$/,
  )
})
