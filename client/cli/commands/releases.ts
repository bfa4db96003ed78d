import { checked } from '@hexachord/protocol/checked'
import { type Hash, hashSchema } from '@hexachord/protocol/names'
import type { HeldRelease } from '@hexachord/protocol/rest'
import { ApiError, type Connection } from '@hexachord/sdk/connect'
import type { HeldKey } from '@hexachord/sdk/keys'
import { listReleases, withdrawRelease } from '@hexachord/sdk/releasing'
import type { Command } from 'commander'
import { type FileMemory, fileUploadMemory, keyStore, UsageError } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { timeInWords } from './upload-release.ts'

type Opened = { connection: Connection; account: HeldKey; memory: FileMemory; signal: AbortSignal }
type Listed = HeldRelease & { readonly node: string; readonly title: string | undefined }

export function addReleasesCommand(program: Command, context: Context): void {
  const command = program
    .command('releases')
    .description('what is held back until its time, and what became of that for a month')
    .action(async (_options: unknown, self: Command) => {
      const opened = await open(self, context)
      const { items, away } = await list(opened)
      for (const { node, reason } of away)
        process.stderr.write(`hexachord: ${node} does not say: ${reason}\n`)
      const lines = items.map(describe)
      print(self, { items, away }, lines.join('\n') || 'nothing is held back')
    })
  command
    .command('cancel')
    .argument('<hash>', "as 'hexachord releases' shows it")
    .description('withdraw one that was not sent; what was uploaded is kept, and can be published')
    .action(async (text: string, _options: unknown, self: Command) => {
      const hash = checked(hashSchema, text)
      if (!hash.success) throw new UsageError(`'${text}' is no hash: 'hexachord releases' lists them`)
      const opened = await open(self, context)
      const node = await nodeOf(hash.data, opened)
      await withdrawRelease(opened.connection, opened.account, { node, hash: hash.data }, opened)
      await forget(hash.data, opened.memory)
      print(self, { withdrawn: hash.data, node }, `${hash.data} is not released any more`)
    })
}

async function open(self: Command, context: Context): Promise<Opened> {
  const { connection, settings } = await openConnection(self, context)
  const account = await keyStore(settings.directory).open(() => askPassword(context, 'Password: '))
  return { connection, account, memory: fileUploadMemory(settings.directory), signal: context.signal }
}

/** Of all nodes that this machine knows of. One that has never heard of releases has none. */
async function list({ connection, account, memory, signal }: Opened) {
  const held = (await memory.list()).flatMap(({ saved }) => saved.held ?? [])
  const titles = new Map(held.map(({ hash, title }) => [hash, title]))
  const nodes = [...new Set([...held.map(({ node }) => node), ...connection.creators])]
  const away: { node: string; reason: string }[] = []
  const items = await Promise.all(
    nodes.map(async (node): Promise<Listed[]> => {
      try {
        const releases = await listReleases(connection, account, node, { signal })
        return releases.map((release) => ({ ...release, node, title: titles.get(release.hash) }))
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        if (error.status !== 404) away.push({ node, reason: error.message })
        return []
      }
    }),
  )
  return { items: items.flat().sort((one, other) => one.holdUntilMs - other.holdUntilMs), away }
}

const advice = {
  outdated: "; the same 'hexachord upload' signs it anew",
  refused: "; 'hexachord upload' with another --release, or none, publishes it",
} as const

function describe({ state, holdUntilMs, title, subject, hash, node, reason }: Listed): string {
  const words = [state.padEnd(8), timeInWords(holdUntilMs), title ?? subject, hash, `at ${node}`]
  const next = state === 'outdated' || state === 'refused' ? advice[state] : ''
  return [...words, ...(reason === undefined ? [] : [reason + next])].join('  ')
}

/** @throws UsageError where nobody has it */
async function nodeOf(hash: Hash, opened: Opened): Promise<string> {
  const { items, away } = await list(opened)
  const found = items.find((release) => release.hash === hash)
  if (found) return found.node
  const silent = away.map(({ node, reason }) => `; ${node} does not say: ${reason}`).join('')
  throw new UsageError(`no node holds ${hash} back for your key${silent}`)
}

async function forget(hash: Hash, memory: FileMemory): Promise<void> {
  for (const { key, saved } of await memory.list()) {
    if (saved.held?.hash === hash) await memory.save(key, { ...saved, held: undefined })
  }
}
