import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify, stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'
import { findProgram } from '../support/redis.ts'
import { openSite, type Site } from './support/site.ts'

const execute = promisify(execFile)
const beacon = fileURLToPath(new URL('../../dist/beacon.js', import.meta.url))

const script = await findProgram('script')
if (script === undefined) process.stderr.write('no script was found: nothing is tried on a terminal\n')

/** What a terminal of 80 columns and 24 lines gets to show of command lines, which must end well. */
async function shown(site: Site, ...lines: readonly string[]): Promise<string[]> {
  const run = lines.map((line) => `"${process.execPath}" "${beacon}" ${line} && printf '\\036'`).join(' && ')
  const { stdout } = await execute(
    script ?? '',
    ['--quiet', '--return', '--command', `stty cols 80 rows 24 && ${run}`, '/dev/null'],
    {
      env: { PATH: process.env.PATH, HOME: site.folder, TERM: 'xterm', SHELL: '/bin/sh', ...site.variables },
    },
  )
  return stdout.replaceAll('\r\n', '\n').split('\u001e')
}

const twoDays = '--from 2024-03-01 --to 2024-03-03 --force'

test.skipIf(script === undefined)(
  'on a terminal a backfill shows how far it is in one place, and there are colours unless nobody wants them',
  { timeout: 150_000 },
  async () => {
    await using site = await openSite({ config: 'track: [bitcoin]\n' })
    const [backfill = '', status = '', plot = '', plain = ''] = await shown(
      site,
      `backfill bitcoin --timeframe 1m,1h ${twoDays} --no-archive`,
      'status',
      'candles bitcoin --timeframe 1h --plot',
      'candles bitcoin --timeframe 1h --plot --last 20 | cat',
    )
    // Two lines that are written over, and the cursor back at the end.
    const drawn = backfill.split('\u001b[1G').map(stripVTControlCharacters)
    expect(drawn).toContainEqual(expect.stringMatching(/^[█░]{10,40} +\d+ % {2}[\d,]+ of 2,928 candles/))
    expect(drawn).toContainEqual(expect.stringMatching(/^binance: \d+ of \d+ requests/))
    expect(drawn.filter((line) => /^[█░]/.test(line) && line.trimEnd().length > 80)).toEqual([])
    expect(backfill.lastIndexOf('\u001b[?25h')).toBeGreaterThan(backfill.lastIndexOf('\u001b[?25l'))
    expect(backfill).toMatch(/2,928 new, .* candles with \d+ requests/)

    expect(status).toContain('\u001b[3')
    expect(stripVTControlCharacters(status).split('\n').length).toBeLessThanOrEqual(24)
    expect(plot).toContain('\u001b[32m')
    expect(stripVTControlCharacters(plot).split('\n')).toHaveLength(24)
    expect(plain).not.toContain('\u001b')

    const uncoloured = await shown({ ...site, variables: { ...site.variables, NO_COLOR: '1' } }, 'status')
    expect(uncoloured[0]).not.toContain('\u001b')
  },
)
