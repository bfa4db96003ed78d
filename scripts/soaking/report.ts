import { availableParallelism, cpus, release, totalmem } from 'node:os'
import type { Quantity } from './sampler.ts'
import type { SoakResult } from './soak.ts'
import { megabytes, tolerances } from './verdict.ts'

/** Where and on what a run was made. */
export type Setting = { readonly commit: string; readonly date: string; readonly machine: string }

export function thisMachineInWords(): string {
  const [cpu] = cpus()
  const memory = Math.round(totalmem() / 1024 ** 3)
  const model = cpu?.model.trim() || process.arch
  return `${availableParallelism()} cores (${model}), ${memory} GiB, ${process.platform} ${release()}, Node ${process.version}`
}

const hourMs = 3_600_000

/** A run as a page of Markdown. */
export function writeReport(result: SoakResult, setting: Setting): string {
  const { verdict, tally, durationMs } = result
  const minutes = (durationMs / 60_000).toFixed(durationMs < 600_000 ? 1 : 0)
  return `${[
    '# Soak',
    `A network under constant change: artists publish, rename, replace and take back tracks; listeners play and check
every byte; nodes are killed with \`kill -9\` and started again; operators join and leave; Redis is emptied. Content
services forget what is over after minutes instead of days, so that an hour sees it many times. In the first third every
node is killed now and then, later only two content services and those who join, so that the others show how they age.
Each service collects its garbage every few seconds, so that what is measured is what it holds.`,
    `Made by \`scripts/soak --minutes ${Number(minutes)}\`; this page is written by it.`,
    `**${verdict.passed ? 'Passed' : 'FAILED'}.**`,
    table(
      ['', ''],
      [
        ['machine', setting.machine],
        ['commit', setting.commit],
        ['date', setting.date],
        ['duration', `${minutes} min`],
        ['published in all', megabytes(result.publishedBytes)],
        ['live at the end', megabytes(result.liveBytes)],
        ...[...tally.counts()].sort().map(([what, count]) => [what, String(count)]),
      ],
    ),
    '## Checks',
    table(
      ['', 'what', 'figures'],
      verdict.checks.map(({ what, holds, detail }) => [holds ? 'yes' : '**no**', what, detail]),
    ),
    '## How each process aged',
    `One slope over all lives of a process, each with its own intercept, after a warm-up, where
one was watched for six minutes or more. It is flat when it grows over its longest life by no more than is allowed, or by no more than chance (two standard errors) explains. Chain and Postgres
are engines of other people and are not judged.`,
    table(
      ['process', 'what', 'first', 'last', 'per hour', 'over min', 'grew', 'allowed', 'flat'],
      agingRows(result),
    ),
    '## Disk',
    table(['process', 'blocks', 'SQLite', 'write-ahead log, most', 'other'], diskRows(result)),
    faultsInWords(result),
  ]
    .filter((part) => part !== '')
    .join('\n\n')}\n`
}

function agingRows({ samples, verdict }: SoakResult): string[][] {
  return samples.processes().flatMap((process) =>
    (Object.keys(tolerances) as Quantity[]).flatMap((quantity) => {
      const points = samples.of(process, quantity)
      const [first, last] = [points[0], points.at(-1)]
      if (first === undefined || last === undefined) return []
      const inWords = isBytes(quantity) ? megabytes : (value: number) => value.toFixed(0)
      const row = [process, names[quantity] ?? quantity, inWords(first.value), inWords(last.value)]
      const line = verdict.lines.find((each) => each.process === process && each.quantity === quantity)
      const trend = line?.flatness.trend
      if (line === undefined || trend === undefined) return [[...row, '', '', '', '', '']]
      const { growth, allowed, flat } = line.flatness
      return [
        [
          ...row,
          inWords(trend.slope * hourMs),
          (trend.spanMs / 60_000).toFixed(0),
          inWords(growth),
          inWords(allowed),
          flat === undefined ? 'too young' : flat ? 'yes' : '**no**',
        ],
      ]
    }),
  )
}

const names: Partial<Record<Quantity, string>> = {
  rssBytes: 'memory',
  heapBytes: 'heap',
  descriptors: 'descriptors',
  keys: 'keys',
}

function isBytes(quantity: Quantity): boolean {
  return quantity.endsWith('Bytes')
}

function diskRows({ samples, verdict }: SoakResult): string[][] {
  const nodes = new Set(verdict.lines.map(({ process }) => process))
  return samples
    .processes()
    .filter(
      (process) => nodes.has(process) && samples.of(process, 'blockBytes').some(({ value }) => value > 0),
    )
    .map((process) => {
      const last = (quantity: Quantity) => samples.of(process, quantity).at(-1)?.value ?? 0
      const wal = Math.max(0, ...samples.of(process, 'walBytes').map(({ value }) => value))
      const [blocks, sqlite, other] = [last('blockBytes'), last('sqliteBytes'), last('otherBytes')]
      return [process, ...[blocks, sqlite, wal, other].map(megabytes)]
    })
}

function faultsInWords({ tally, audit }: SoakResult): string {
  const faults = [...tally.faults()].flatMap(([kind, details]) => [
    `### ${kind}`,
    details.map((detail) => `- ${inOneCell(detail)}`).join('\n'),
  ])
  const missing = audit.missing.map((reason) => `- ${inOneCell(reason)}`).join('\n')
  return [...(missing === '' ? [] : ['### Tracks that are not whole', missing]), ...faults].join('\n\n')
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map(inOneCell).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function inOneCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\s*\n\s*/g, ' ')
}
