import { setMaxListeners } from 'node:events'
import { Aborted, InvalidInput, PartlyFailed, Unavailable } from '../fault.ts'
import type { Reachability } from '../http/reachability.ts'
import type { Context } from '../runtime/context.ts'
import { joinSignals } from '../runtime/joined-signal.ts'
import { childLog, type Log } from '../runtime/log.ts'
import { type Span, type Tracer, underSpan } from '../runtime/trace.ts'
import { carryOut, type Decision, evaluate } from './decision.ts'
import type { Engine, EngineJob, EngineProcessor, EngineWorker, WorkerOptions } from './engine.ts'
import { heartbeat } from './heartbeat.ts'
import type { AnyJob, Outcome } from './job.ts'
import { attributesOf, beginRun, outcomeAttributes } from './job-trace.ts'
import { Outages } from './outages.ts'
import { readPayload } from './payload.ts'
import { reportOf } from './report.ts'
import { countsText, RunLog } from './run-log.ts'
import { storableError, storableRecord, storableText } from './storable.ts'

export type RunStart = Readonly<{
  jobId: string
  job: string
  queue: string
  payload: unknown
  /** 1 the first time. */
  attempt: number
}>

/** A partial run has both `outcome` and `fault`. */
export type RunEnd = Readonly<{ outcome?: Outcome; fault?: Error; willRetry: boolean }>

/** A run starts only after it is recorded; a failure to record its end is tolerated. */
export type RunRecorder = Readonly<{
  started(run: RunStart): Promise<string>
  finished(runId: string, end: RunEnd): Promise<void>
}>

/** Each run also gets a signal and a run id. */
type WorkerContext = Omit<Context, 'signal' | 'runId' | 'onBatch'>

/** Aborts runs, waits for the grace period, then abandons the rest. */
export type Workers = Readonly<{ close(): Promise<void> }>

export type StartWorkers = WorkerOptions &
  Readonly<{
    engine: Engine
    jobs: readonly AnyJob[]
    queues: readonly string[]
    context: WorkerContext
    onRun?: RunRecorder
    /** Ends a job before it runs; undefined runs it. */
    insteadOf?: (queued: EngineJob) => Promise<Outcome | undefined>
    /** Absent without tracing. */
    tracer?: Tracer | undefined
    /** Reports unreachable sources once instead of per run. */
    reachability?: Reachability
  }>

/** One worker per queue, closed by the result or `engine.close()`. Throws Unavailable if the store does not answer. */
export async function startWorkers(options: StartWorkers): Promise<Workers> {
  const { engine, queues, context } = options
  const stop = new AbortController()
  // Each running job listens to it.
  setMaxListeners(0, stop.signal)
  const runJob = jobRunner(options, stop.signal)
  const graceMs = options.graceMs ?? context.settings.queue.stopGrace
  const running = await Promise.all(
    queues.map((queue) => engine.openWorker(queue, runJob, { ...options, graceMs })),
  )
  for (const { worker } of running) watch(worker, context)
  return {
    close: async () => {
      stop.abort(new Aborted('the process is stopping'))
      await Promise.all(running.map((worker) => worker.close()))
    },
  }
}

function watch(worker: EngineWorker, { log }: WorkerContext): void {
  const queue = worker.name
  worker.on('stalled', (jobId) => log.warn('job.stalled', { queue, jobId }))
  worker.on('lockRenewalFailed', (jobIds) => {
    for (const jobId of jobIds) worker.cancelJob(jobId, 'the queue has given the job to another')
  })
  worker.on('failed', (queued, error) => {
    // Failed by BullMQ without a run, as it stalled too often.
    if (queued !== undefined && queued.deferredFailure === undefined) return
    log.error('job.failed', { job: queued?.name, queue, jobId: queued?.id, reason: error.message })
  })
}

function jobRunner(
  { engine, jobs, context, onRun, insteadOf, tracer, reachability }: StartWorkers,
  stop: AbortSignal,
): EngineProcessor {
  const catalog = new Map(jobs.map((job) => [job.name, job]))
  const isStopping = () => engine.closing.aborted || stop.aborted
  const recorder = tolerant(onRun, context)
  const outages = new Outages(context.log)
  const run = async (span: Span | undefined, ...[queued, token, cancelled]: Parameters<EngineProcessor>) => {
    const startedAt = performance.now()
    let log = childLog(context.log, identityOf(queued))
    const report = reportOf(queued, engine.queue(queued.queueName), context.log)
    const lines = new RunLog({ ...context, writeRow: report.writeRow })
    const tookMs = () => Math.round(performance.now() - startedAt)
    const ends = joinSignals([engine.closing, stop, cancelled])
    let runId: string | undefined
    let job: AnyJob | undefined
    try {
      const instead = await insteadOf?.(queued)
      if (instead !== undefined) return instead
      job = jobOf(catalog, queued)
      const payload = readPayload(job, queued.data)
      runId = await recorder.started(startOf(queued, payload))
      log = childLog(log, { runId })
      span?.annotate({ 'beacon.run_id': runId, ...attributesOf(payload) })
      const given = { ...context, ...lines.within(context), log, signal: ends.signal, runId }
      const returned = await job.run(given, payload, { ...report, log: async (line) => lines.write(line) })
      const outcome = storableRecord(returned)
      span?.annotate(outcomeAttributes(outcome))
      await recorder.finished(runId, { outcome, willRetry: false })
      await outages.succeeded(engine.queue(queued.queueName))
      reportDone(log, job, outcome, tookMs())
      lines.write(`done in ${tookMs()} ms: ${countsText(outcome)}`)
      return outcome
    } catch (error) {
      const decision = evaluate(error, queued, isStopping())
      outages.failed(queued.queueName, error)
      const fault = storableError(error)
      reportSpan(span, error, decision)
      const part = error instanceof PartlyFailed ? { outcome: storableRecord(error.outcome) } : undefined
      if (runId !== undefined)
        await recorder.finished(runId, { ...part, fault, willRetry: decision.willRetry })
      const source = error instanceof Unavailable ? error.source : undefined
      if (source !== undefined) reachability?.jobFailed(source)
      const isReported = source !== undefined && reachability !== undefined
      reportFailed(log, fault, { ...decision, isReported }, tookMs())
      lines.write(`attempt ${report.attempt} ${endText(decision)} after ${tookMs()} ms: ${fault.message}`)
      lines.flush()
      await report.settled()
      // Loaded data stays; the failure has its alert.
      if (part && !decision.willRetry) return part.outcome
      return carryOut(decision, error, queued, token)
    } finally {
      ends.release()
      lines.flush()
      await report.settled()
      span?.end()
    }
  }
  return async (queued, token, cancelled) => {
    if (queued.name === heartbeat.jobName) return {}
    if (isStopping()) return carryOut({ next: 'give-back', willRetry: true }, undefined, queued, token)
    const span = beginRun(tracer, queued)
    return underSpan(span, () => run(span, queued, token, cancelled))
  }
}

function jobOf(catalog: ReadonlyMap<string, AnyJob>, queued: EngineJob): AnyJob {
  const job = catalog.get(queued.name)
  if (job) return job
  throw new InvalidInput(
    `there is no job "${storableText(queued.name, 100)}": remove it from the queue ${queued.queueName}`,
  )
}

const startOf = (queued: EngineJob, payload: unknown): RunStart => ({
  jobId: queued.id ?? '',
  job: queued.name,
  queue: queued.queueName,
  payload,
  attempt: queued.attemptsMade + 1,
})

/** A failure to record the end does not change the result. */
function tolerant(onRun: RunRecorder | undefined, { log }: WorkerContext): RunRecorder {
  if (!onRun) return { started: async ({ jobId }) => jobId, finished: async () => undefined }
  return {
    started: (run) => onRun.started(run),
    finished: async (runId, end) => {
      try {
        await onRun.finished(runId, end)
      } catch (error) {
        log.error('run.unrecorded', { runId, reason: storableError(error).message })
      }
    },
  }
}

/** Fields on each log line of a run. */
const identityOf = (queued: EngineJob) => ({
  job: queued.name,
  queue: queued.queueName,
  jobId: queued.id,
  attempt: queued.attemptsMade + 1,
})

function reportDone(log: Log, { changes }: AnyJob, outcome: Outcome, tookMs: number): void {
  const fields = { ...outcome, tookMs }
  const hasChanged = (changes ?? Object.keys(outcome)).some((name) => !isNothing(outcome[name]))
  log[hasChanged ? 'info' : 'debug']('job.done', fields)
}

const isNothing = (value: unknown): boolean =>
  typeof value === 'object' && value !== null ? Object.keys(value).length === 0 : !value

function reportSpan(span: Span | undefined, error: unknown, { next, willRetry }: Decision): void {
  span?.annotate({ 'beacon.next': next, 'beacon.will_retry': willRetry })
  if (next !== 'give-back') span?.fail(error)
}

const endText = ({ next }: Decision): string => (next === 'give-back' ? 'stopped' : 'failed')

type Failure = Decision & Readonly<{ isReported: boolean }>

function reportFailed(log: Log, fault: Error, { isReported, ...decision }: Failure, tookMs: number): void {
  const fields = { tookMs, reason: fault.message, error: fault.name, ...decision }
  if (decision.next === 'give-back') log.debug('job.stopped', fields)
  else if (isReported) log.debug('job.failed', fields)
  else if (decision.willRetry) log.warn('job.failed', fields)
  else log.error('job.failed', { ...fields, stack: fault.stack })
}
