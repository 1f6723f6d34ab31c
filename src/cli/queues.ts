import { Command } from 'commander'
import { queuesWith } from '../../jobs/catalog.ts'
import { InvalidInput } from '../fault.ts'
import { pauseQueue, type QueueCounts, queueOverview, resumeQueue } from '../queue/overview.ts'
import { didYouMean } from '../settings/did-you-mean.ts'
import { readSources } from '../store/coins/instruments.ts'
import { withFleet } from './session.ts'
import { answer, countText } from './terminal/output.ts'
import { table } from './terminal/table.ts'

type JsonOption = Readonly<{ json?: boolean }>

export const queuesCommand = (): Command =>
  new Command('queues')
    .option('--json', 'print JSON')
    .action(({ json }: JsonOption) =>
      withFleet(async ({ db }, { engine }) => {
        const counts = await queueOverview(engine, queuesWith(await readSources(db)))
        answer(json, { queues: counts }, () => queueTable(counts))
      }),
    )
    .addCommand(switchCommand('pause', 'Pause a queue; running jobs finish.', pauseQueue, 'is paused'))
    .addCommand(switchCommand('resume', 'Resume a paused queue.', resumeQueue, 'goes on'))

function switchCommand(name: string, description: string, act: typeof pauseQueue, state: string): Command {
  return new Command(name)
    .description(description)
    .argument('<queue>', 'name the queue, as beacon queues lists it')
    .option('--json', 'print JSON')
    .action((queue: string, _options: JsonOption, command: Command) =>
      withFleet(async ({ db }, { engine }) => {
        const known = queuesWith(await readSources(db))
        if (!known.includes(queue)) {
          throw new InvalidInput(
            `there is no queue "${queue}".${didYouMean(queue, known)} There is ${known.join(', ')}`,
          )
        }
        await act(engine, queue)
        // The parent's option of that name takes it.
        const { json } = command.optsWithGlobals<JsonOption>()
        answer(json, { queue, paused: name === 'pause' }, () => `The queue ${queue} ${state}.`)
      }),
    )
}

const counted = (name: Exclude<keyof QueueCounts, 'queue' | 'paused'>, leaveOut?: number) => ({
  title: name,
  of: (counts: QueueCounts) => countText(counts[name]),
  align: 'right' as const,
  ...(leaveOut === undefined ? {} : { leaveOut }),
})

const queueTable = (rows: readonly QueueCounts[]): string =>
  table(rows, [
    { title: 'queue', of: ({ queue, paused }) => (paused ? `${queue} (paused)` : queue) },
    counted('waiting'),
    counted('prioritized'),
    counted('active'),
    counted('delayed'),
    counted('failed'),
    counted('completed', 1),
  ])
