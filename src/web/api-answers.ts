import type { DatabaseStatus } from '../status/database.ts'
import type { Maintenance, NextRetention } from '../status/maintenance.ts'
import type { SourceStatus } from '../status/sources.ts'
import type { Status } from '../status/status.ts'
import type { CandlesAnswer, CoverageAnswer, GapsAnswer } from './api.ts'
import type { RunAnswer, RunListAnswer } from './run-api.ts'
import type { MarksAnswer, SeriesAnswer } from './series-api.ts'

/** Answer types shared with the page's scripts. */
export type ApiAnswers = Readonly<{
  '/api/status': Status
  '/api/sources': Readonly<{ generatedAt: string; sources: readonly SourceStatus[] }>
  '/api/database': DatabaseStatus
  '/api/maintenance': Maintenance
  '/api/retention': NextRetention
  '/api/coverage': CoverageAnswer
  '/api/gaps': GapsAnswer
  '/api/candles': CandlesAnswer
  '/api/series': SeriesAnswer
  '/api/marks': MarksAnswer
  '/api/runs': RunListAnswer
  '/api/run': RunAnswer
}>
