import { readFile, writeFile } from 'node:fs/promises'
import { createKey, decryptKey, type HeldKey, KeyError, keyFromWords } from '@hexachord/sdk/keys'
import { Command } from 'commander'
import { keyStore, readSettings } from '../settings/index.ts'
import { ask, askNewPassword, askPassword, progressBar } from '../terminal/index.ts'
import { print } from './connection.ts'
import type { Context } from './index.ts'

export function keyCommand(context: Context): Command {
  const { env } = context
  const store = async () => keyStore((await readSettings(env)).directory)
  const command = new Command('key').description('Your key: it is you. Nobody can give it back to you.')

  const save = async (key: HeldKey, self: Command) => {
    const keys = await store()
    if (await keys.exists()) throw new KeyError(`there is a key at ${keys.path} already: move it away first`)
    await keys.save(key, await askNewPassword(env), bar('encrypting'))
    print(self, { address: key.address, path: keys.path }, `${key.address}\nkept in ${keys.path}`)
  }

  command
    .command('new')
    .description('make a key')
    .action(async (_options: unknown, self: Command) => {
      await save(createKey(), self)
      process.stderr.write("Write its 12 words down on paper now: 'hexachord key backup'\n")
    })
  command
    .command('show')
    .description('your address')
    .action(async (_options: unknown, self: Command) => {
      const keys = await store()
      const { address } = JSON.parse(await keys.read()) as { address: string }
      print(
        self,
        { address: `0x${address.replace(/^0x/, '').toLowerCase()}` },
        `0x${address.replace(/^0x/, '').toLowerCase()}`,
      )
    })
  command
    .command('backup')
    .description('show the 12 words')
    .action(async (_options: unknown, self: Command) => {
      const keys = await store()
      const key = await keys.open(await askPassword(env, 'Password: '), bar('decrypting'))
      if (!key.words) throw new KeyError("this key was imported without words: use 'hexachord key export'")
      print(self, { words: key.words }, key.words)
    })
  command
    .command('restore')
    .description('make the key again from its 12 words')
    .option('--words-file <path>', 'read the words from a file')
    .action(async (options: { wordsFile?: string }, self: Command) => {
      const words = options.wordsFile
        ? await readFile(options.wordsFile, 'utf8')
        : await ask('The 12 words: ')
      await save(keyFromWords(words), self)
    })
  command
    .command('export <file>')
    .description('write the encrypted key (Web3 Secret Storage v3) to a file')
    .action(async (file: string, _options: unknown, self: Command) => {
      await writeFile(file, await (await store()).read(), { mode: 0o600, flag: 'wx' })
      print(self, { file }, `written to ${file}; it opens with the same password`)
    })
  command
    .command('import <file>')
    .description('take over an encrypted key (Web3 Secret Storage v3)')
    .action(async (file: string, _options: unknown, self: Command) => {
      const json = await readFile(file, 'utf8')
      await save(
        await decryptKey(json, await askPassword(env, 'Password of the file: '), bar('decrypting')),
        self,
      )
    })
  return command
}

function bar(label: string): (part: number) => void {
  const shown = progressBar(label, 'parts')
  return (part) => {
    shown.update(Math.round(part * 100), 100)
    if (part === 1) shown.stop()
  }
}
