import type { ExportPlan } from '../../files/export/export.ts'
import { withCountingBar } from '../terminal/counting-bar.ts'

/** Fewer are written before a bar could be read. */
const longExport = 200_000

/** Shows how far a long export is, by the candles or days of its ranges. */
export const withExportProgress = (
  { units, request }: ExportPlan,
  work: (onProgress: (units: number) => void) => Promise<void>,
): Promise<void> =>
  units < longExport
    ? work(() => {})
    : withCountingBar(units, request.table === 'candles' ? 'candles' : 'days', work)
