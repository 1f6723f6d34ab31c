import type { ExportPlan } from '../../files/export/export.ts'
import { withCountingBar } from '../terminal/counting-bar.ts'

/** Shorter exports need no bar. */
const longExport = 200_000

/** By candles or days. */
export const withExportProgress = (
  { units, request }: ExportPlan,
  work: (onProgress: (units: number) => void) => Promise<void>,
): Promise<void> =>
  units < longExport
    ? work(() => {})
    : withCountingBar(units, request.table === 'candles' ? 'candles' : 'days', work)
