import { relative } from 'node:path'
import type { TestSpecification } from 'vitest/node'
import { BaseSequencer } from 'vitest/node'

/** Files that run for longer than 20 s, most of it waiting: begun first, they wait while the others compute. */
const longest = [
  'test/library/installed-package.test.ts',
  'test/daemon/embedded.test.ts',
  'test/daemon/daemon.test.ts',
  'test/store/migrations/schema.test.ts',
  'test/web/page.test.ts',
  'test/faults/mixture.test.ts',
  'test/simulate/simulate.test.ts',
  'test/daemon/clock-step.test.ts',
  'test/queue/redis-topologies.test.ts',
  'test/cli/backfill.test.ts',
  'test/daemon/outage.test.ts',
  'test/queue/silence.test.ts',
  'test/cli/coins.test.ts',
  'test/monitoring/prometheus.test.ts',
  'test/runtime/embedded-accounts.test.ts',
  'test/daemon/full-disk.test.ts',
]

/** The others keep the order of vitest. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files)
    const placeOf = ({ moduleId }: TestSpecification): number => {
      const place = longest.indexOf(relative(this.ctx.config.root, moduleId))
      return place === -1 ? longest.length : place
    }
    return sorted.toSorted((a, b) => placeOf(a) - placeOf(b))
  }
}
