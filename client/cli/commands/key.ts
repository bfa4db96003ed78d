import { readFile, writeFile } from 'node:fs/promises'
import { createKey, decryptKey, type HeldKey, KeyError, keyFromWords } from '@hexachord/sdk/keys'
import type { Command } from 'commander'
import { authorIn, keyStore, readSettings, UsageError } from '../settings/index.ts'
import { ask, askNewPassword, askPassword, progressBar } from '../terminal/index.ts'
import { print } from './connection.ts'
import type { Context } from './context.ts'
import { addRotateCommands } from './key-rotate.ts'

export function addKeyCommand(program: Command, context: Context): void {
  const { env } = context
  const store = async () => keyStore((await readSettings(env)).directory)
  const command = program.command('key').description('Your key: it is you. Nobody can give it back to you.')

  const makeSureThereIsNone = async () => {
    const keys = await store()
    if (await keys.exists()) throw new KeyError(`there is a key at ${keys.path} already: move it away first`)
  }
  const save = async (key: HeldKey, self: Command, author = key.address) => {
    const keys = await store()
    await keys.save(key, await askNewPassword(context), { author, onProgress: bar('encrypting') })
    print(self, { address: key.address, path: keys.path }, `${key.address}\nkept in ${keys.path}`)
  }

  command
    .command('new')
    .description('make a key')
    .action(async (_options: unknown, self: Command) => {
      await makeSureThereIsNone()
      await save(createKey(), self)
      process.stderr.write("Write its 12 words down on paper now: 'hexachord key backup'\n")
    })
  command
    .command('show')
    .description('your address')
    .action(async (_options: unknown, self: Command) => {
      const keys = await store()
      const [address, author] = [await keys.address(), await keys.author()]
      const isOther = author !== address
      print(
        self,
        { address, ...(isOther ? { author } : {}) },
        isOther ? `${address}\nsigns for ${author}` : address,
      )
    })
  command
    .command('backup')
    .description('show the 12 words')
    .action(async (_options: unknown, self: Command) => {
      const keys = await store()
      const key = await keys.open(() => askPassword(context, 'Password: '), bar('decrypting'))
      if (!key.words) throw new KeyError("this key was imported without words: use 'hexachord key export'")
      print(self, { words: key.words }, key.words)
    })
  command
    .command('restore')
    .description('make the key again from its 12 words')
    .option('--words-file <path>', 'read the words from a file')
    .action(async (options: { wordsFile?: string }, self: Command) => {
      await makeSureThereIsNone()
      const words = options.wordsFile
        ? await readTextFile(options.wordsFile)
        : await ask(context, 'The 12 words: ', { hidden: true, instead: 'give --words-file' })
      await save(keyFromWords(words), self)
    })
  command
    .command('export')
    .argument('<file>')
    .description('write the encrypted key (Web3 Secret Storage v3) to a file')
    .action(async (file: string, _options: unknown, self: Command) => {
      await writeNewFile(file, await (await store()).read())
      print(self, { file }, `written to ${file}; it opens with the same password`)
    })
  command
    .command('import')
    .argument('<file>')
    .description('take over an encrypted key (Web3 Secret Storage v3)')
    .action(async (file: string, _options: unknown, self: Command) => {
      await makeSureThereIsNone()
      const json = await readTextFile(file)
      const password = await askPassword(context, 'Password of the file: ')
      const key = await decryptKey(json, password, bar('decrypting'))
      await save(key, self, authorIn(json, file))
    })
  addRotateCommands(command, context)
}

async function readTextFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new UsageError(`${path} cannot be read: ${reasonOf(cause)}`, { cause })
  }
}

async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' })
  } catch (cause) {
    throw new UsageError(`${path} cannot be written: ${reasonOf(cause)}`, { cause })
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function bar(label: string): (part: number) => void {
  const shown = progressBar(label, 'parts')
  return (part) => {
    shown.update(Math.round(part * 100), 100)
    if (part === 1) shown.stop()
  }
}
