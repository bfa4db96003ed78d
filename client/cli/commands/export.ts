import { openAsBlob } from 'node:fs'
import { type FileHandle, open, rename, stat } from 'node:fs/promises'
import { CarError, openCar } from '@hexachord/protocol/cars'
import { openExport, type TrackExport, verifyExport } from '@hexachord/sdk/carrying'
import { trackFor } from '@hexachord/sdk/finding'
import type { Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { progressBar } from '../terminal/index.ts'
import { openConnection, print } from './connection.ts'
import type { Context } from './context.ts'

type Options = { output?: string }

export function addExportCommand(program: Command, context: Context): void {
  program
    .command('export')
    .description('carry a track away: all of it in one CAR file, which any IPFS program reads')
    .argument('<track>', 'its id, a link to it, or words to search for')
    .option(
      '-o, --output <file>',
      'default: its title, with .car; what an interrupted export left is gone on with',
    )
    .action(async (text: string, options: Options, self: Command) => {
      const { signal } = context
      const { connection } = await openConnection(self, context)
      const track = await trackFor(connection, text, { signal })
      const path = options.output ?? `${fileName(track.title)}.car`
      if (await exists(path)) throw new UsageError(`${path} is there already`)
      const exported = await openExport(connection, track, {
        signal,
        onFault: ({ source, kind }) => process.stderr.write(`hexachord: ${source} ${kind}; asking another\n`),
      })
      const part = `${path}.part`
      await write(exported, part, signal)
      await verifyExport(await openAsBlob(part), track, { signal })
      await rename(part, path)
      const { root, blocks, byteLength } = exported
      print(
        self,
        {
          track: track.id,
          file: path,
          root,
          manifest: track.manifest,
          blocks: blocks.length,
          bytes: byteLength,
        },
        `${track.title} by ${track.artist}\n${path}: ${blocks.length} blocks, ${byteLength} bytes, every hash checked`,
      )
    })
}

/** Writes all that is not there yet. What is there is read and hashed first, and counts as far as it is right. */
async function write(exported: TrackExport, path: string, signal: AbortSignal): Promise<void> {
  const { header, byteLength } = exported
  const bar = progressBar('exporting', 'bytes')
  const handle = await open(path, 'a+', 0o644)
  try {
    const there = await usable(exported, path)
    await handle.truncate(there.bytes)
    let written = there.bytes
    if (written === 0) written += await append(handle, header)
    for await (const pieces of exported.sections(there.blocks)) {
      signal.throwIfAborted()
      for (const piece of pieces) written += await append(handle, piece)
      bar.update(written, byteLength)
    }
    await handle.sync()
  } finally {
    bar.stop()
    await handle.close()
  }
}

async function append(handle: FileHandle, bytes: Uint8Array): Promise<number> {
  await handle.appendFile(bytes)
  return bytes.length
}

/** How far a file is the beginning of this export. */
async function usable(
  { root, blocks }: TrackExport,
  path: string,
): Promise<{ blocks: number; bytes: number }> {
  const content = await openAsBlob(path)
  const found = { blocks: 0, bytes: 0 }
  try {
    const car = await openCar(content.stream(), { maximumBlocks: blocks.length })
    if (car.roots.join() !== root) return found
    for await (const { cid, end } of car.blocks) {
      if (cid !== blocks[found.blocks]?.cid) break
      found.blocks += 1
      found.bytes = end
    }
  } catch (error) {
    // Cut off, as an interruption leaves it.
    if (!(error instanceof CarError)) throw error
  }
  return found
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}

/** A title as the name of a file, without what any system would stumble over. */
function fileName(title: string): string {
  const name = title
    .normalize('NFC')
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .slice(0, 80)
  return name === '' ? 'track' : name
}
