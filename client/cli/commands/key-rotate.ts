import { rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Address } from '@hexachord/protocol/names'
import { createKey, type HeldKey } from '@hexachord/sdk/keys'
import { controllerOf, rotate, rotationNotice } from '@hexachord/sdk/social'
import type { Command } from 'commander'
import { keyStore, replaceKey, UsageError } from '../settings/index.ts'
import { askNewPassword, askPassword, confirmed } from '../terminal/index.ts'
import { globalOptions, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { addressIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Options = PayingOptions & {
  to?: Address
  same?: true
  recovery?: string
  author?: Address
  yes?: true
}

const recoveryDays = 7

/** Commands of `key` by which one key takes over from another. */
export function addRotateCommands(key: Command, context: Context): void {
  const rotating = key
    .command('rotate')
    .description(
      'let a new key take your place, such as when this one was stolen: made here unless you name it',
    )
    .option('--to <address>', 'a key that is kept elsewhere', addressIn)
    .option('--same', 'this very key again: all delegated keys and app passwords end, and nothing else')
    .option(
      '--recovery <address>',
      `who may take your account over, ${recoveryDays} days after asking, unless you rotate meanwhile; 'none' for nobody`,
    )
    .option(
      '--author <address>',
      'whose keys: of somebody who has named this key as recovery, or whose keys were rotated to it',
      addressIn,
    )
    .option('--yes', 'do not ask')
    .addHelpText('after', `\n${rotationNotice}`)
  addPayingOptions(rotating).action((options: Options, self: Command) => rotateKeys(options, self, context))

  key
    .command('author')
    .description('sign in the name of an author whose keys were rotated to this one, from now on')
    .argument('<address>', "the author's first address; your own to be yourself again")
    .action(async (text: string, _options: unknown, self: Command) => {
      const author = addressIn(text)
      const { connection, settings } = await openConnection(self, context, { onlyReads: true })
      const store = keyStore(settings.directory)
      const own = await store.address()
      const controller = await controllerOf(connection, author, { signal: context.signal })
      if (controller !== own) {
        throw new UsageError(`${author} is controlled by ${controller}, not by your key, ${own}`)
      }
      await store.setAuthor(author)
      print(self, { address: own, author }, `${own} signs for ${author}`)
    })
}

async function rotateKeys(options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const { to, same } = options
  if (to && same) throw new UsageError('give --to or --same, not both')
  const recovery = recoveryOf(options.recovery)
  const payerOf = payerFrom(options)
  const { connection, settings } = await openConnection(self, context)
  const store = keyStore(settings.directory)
  const own = await store.address()
  const author = options.author ?? (await store.author())
  const before = await controllerOf(connection, author, { signal })
  const next = keyStore(join(settings.directory, 'next'))
  const isNext = async (address: Address) => (await next.exists()) && (await next.address()) === address

  const takeOver = async (action: string | null) => {
    const kept = await replaceKey(settings.directory, next)
    await rm(dirname(next.path), { recursive: true, force: true })
    const controller = await store.address()
    process.stderr.write("Write the 12 words of the new key down on paper now: 'hexachord key backup'\n")
    print(
      self,
      { author, controller, action, before: kept },
      `${controller} signs for ${author} now\nthe key of before is kept in ${kept}: with HEXACHORD_HOME=${kept} you can take its money out`,
    )
  }
  // It was cut off after the network had taken it.
  if (before !== own && (await isNext(before))) return takeOver(null)

  const isController = before === own
  if (!isController && (options.author === undefined || same || recovery !== undefined)) {
    throw new UsageError(
      `${author} is controlled by ${before}, not by your key, ${own}: only that one, or a recovery key by --author, can change it`,
    )
  }
  const { json } = globalOptions(self)
  process.stderr.write(json ? `${JSON.stringify({ notice: rotationNotice })}\n` : `${rotationNotice}\n`)
  if (
    !options.yes &&
    !(await confirmed(context, `Rotate the keys of ${author}?`, { instead: 'give --yes' }))
  ) {
    throw new UsageError('nothing was rotated')
  }
  const key = await store.open(() => askPassword(context, 'Password: '))
  const isMadeHere = isController && to === undefined && same === undefined
  const controller = isMadeHere ? await made(next, author, context) : (to ?? own)
  const { hash } = await rotate(
    ...([connection, key, { controller, recovery }, { author, signal, payer: payerOf?.(key) }] as const),
  )
  if (isMadeHere) return takeOver(hash)
  const told = isController
    ? `${controller} signs for ${author} now`
    : `${controller} signs for ${author} in ${recoveryDays} days, unless its controller rotates before; then: hexachord key author ${author}`
  print(self, { author, controller, action: hash, inDays: isController ? 0 : recoveryDays }, told)
}

/** The new key, durable before anybody hears of it. One of a rotation that was cut off is taken again. */
async function made(next: ReturnType<typeof keyStore>, author: Address, context: Context): Promise<Address> {
  if (!(await next.exists())) {
    const key: HeldKey = createKey()
    await next.save(key, await askNewPassword(context), { author })
  }
  return next.address()
}

/** @throws UsageError */
function recoveryOf(text: string | undefined): Address | null | undefined {
  if (text === undefined) return undefined
  return text === 'none' ? null : addressIn(text)
}
