import { type UploadAnswer, uploadAnswerSchema } from '@hexachord/protocol/rest'
import { ApiError, type Connection, readJson } from '@hexachord/sdk/connect'
import { abandonUpload, cancelLeftUploads, type SavedUpload } from '@hexachord/sdk/uploading'
import type { Command } from 'commander'
import { type FileMemory, fileUploadMemory, keyStore, readSettings, UsageError } from '../settings/index.ts'
import { askPassword } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'

/** Nobody waits long for a node in a list. */
const answerWithinMs = 5_000

type Unfinished = { readonly key: string; readonly saved: SavedUpload }

export function addUploadsCommand(program: Command, context: Context): void {
  program
    .command('uploads')
    .description('list the uploads that are not published yet')
    .action(async (_options: unknown, self: Command) => {
      const { directory } = await readSettings(context.env, globalOptions(self))
      const uploads = await unfinished(fileUploadMemory(directory))
      const described = await Promise.all(uploads.map(({ saved }) => describe(saved, context.signal)))
      const lines = described.map(({ file, track, state, node, detail }) =>
        [state.padEnd(11), track, file ?? '', `at ${node}`, detail ?? ''].join('  ').trimEnd(),
      )
      print(self, { uploads: described }, lines.join('\n') || 'everything is finished')
    })
}

export function addCancelCommand(program: Command, context: Context): void {
  program
    .command('cancel')
    .description('give up an upload that is not published yet; its node frees what it has')
    .argument('[upload]', 'its file name, track id or URL; may be left out when there is one only')
    .option('--all', 'give up all of them')
    .action(async (text: string | undefined, options: { all?: true }, self: Command) => {
      const { signal } = context
      const { directory } = await readSettings(context.env, globalOptions(self))
      const memory = fileUploadMemory(directory)
      const chosen = choose(await unfinished(memory), text, options)
      const { connection } = await openConnection(self, context)
      const account = await keyStore(directory).openAuthor(() => askPassword(context, 'Password: '))
      await cancelLeftUploads(connection, account, memory, { signal })
      const results = await Promise.all(
        chosen.map(async ({ key, saved }) => ({
          track: saved.subject,
          node: saved.node,
          told: await abandonUpload(connection, account, memory, key, { signal }),
        })),
      )
      const lines = results.map(({ track, node, told }) =>
        told ? `cancelled  ${track}` : `cancelled  ${track}; ${node} is away and is told by a later command`,
      )
      print(self, { cancelled: results }, lines.join('\n') || 'there is nothing to cancel')
    })
}

/** What waits for its release is listed by 'hexachord releases'. */
async function unfinished(memory: FileMemory): Promise<Unfinished[]> {
  return (await memory.list()).filter(({ saved }) => !saved.published && !saved.left && !saved.held)
}

/** @throws UsageError when it is not clear which one is meant */
function choose(
  uploads: readonly Unfinished[],
  text: string | undefined,
  { all }: { all?: true },
): readonly Unfinished[] {
  if (all) return uploads
  const fits =
    text === undefined
      ? uploads
      : uploads.filter(({ saved: { filename, subject, url } }) => [filename, subject, url].includes(text))
  if (fits.length === 1) return fits
  const names = fits.map(({ saved }) => saved.subject).join(', ')
  if (fits.length > 1) throw new UsageError(`say which one, or give --all: ${names}`)
  throw new UsageError(
    text === undefined
      ? 'no upload is under way'
      : `no upload is called '${text}': 'hexachord uploads' lists them`,
  )
}

async function describe({ subject, node, url, filename }: SavedUpload, signal: AbortSignal) {
  const base = { track: subject, file: filename, node, url }
  try {
    const answer = await readJson(fetch as Connection['http'], url, uploadAnswerSchema, {
      timeoutMs: answerWithinMs,
      signal,
    })
    return { ...base, state: answer.state as string, detail: detailOf(answer) }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { ...base, state: error.status === 404 ? 'forgotten' : 'away', detail: error.message }
  }
}

function detailOf({ state, receivedBytes, byteLength, reason, ahead, waitingFor }: UploadAnswer) {
  if (state === 'receiving') return `${Math.floor((100 * receivedBytes) / byteLength)} % sent`
  if (state === 'queued' && ahead !== undefined) return `${ahead} before it`
  if (state === 'ready') return 'not published yet'
  return reason ?? waitingFor
}
