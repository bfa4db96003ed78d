import { reactions } from '@hexachord/protocol/actions'
import type { Comment } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import { trackFor } from '@hexachord/sdk/finding'
import type { HeldKey } from '@hexachord/sdk/keys'
import {
  comment,
  commentsOn,
  findComment,
  pinComment,
  react,
  repliesTo,
  rewordComment,
} from '@hexachord/sdk/social'
import type { SettleOptions } from '@hexachord/sdk/writing'
import { Argument, type Command } from 'commander'
import { UsageError } from '../settings/index.ts'
import { openAccount, openConnection, print } from './connection.ts'
import type { Context } from './context.ts'
import { subjectIn } from './named.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'

type Options = PayingOptions & { replyTo?: string; at?: string }

export function addCommentCommands(program: Command, context: Context): void {
  const { signal } = context
  const command = program
    .command('comment')
    .description('comment on a track; everybody can read it, and it stays on the chain')
    .argument('<track>', 'its id, a link to it, or words to search for')
    .argument('<text>', 'what you say')
    .option('--reply-to <comment>', 'the comment that you answer')
    .option('--at <time>', 'the moment of the track that you speak of, such as 1:23')
  addPayingOptions(command).action(
    async (track: string, text: string, { replyTo, at, ...paying }: Options, self: Command) => {
      const said = {
        text,
        replyTo: replyTo === undefined ? undefined : subjectIn(replyTo, 'comment'),
        positionMs: at === undefined ? undefined : momentOf(at),
      }
      const payerOf = payerFrom(paying)
      const { connection, account } = await openAccount(self, context)
      const { id } = await trackFor(connection, track, { signal })
      const made = await comment(
        connection,
        account,
        { track: id, ...said },
        { signal, payer: payerOf?.(account) },
      )
      print(self, { comment: made, track: id }, made)
    },
  )

  addReadingCommand(program, context)

  /** Commands that say something about a comment, each by one action. */
  const about = (
    telling: Command,
    act: (
      parts: { connection: Connection; account: HeldKey; options: SettleOptions },
      ...texts: string[]
    ) => Promise<{ said: object; text: string }>,
  ) =>
    addPayingOptions(telling).action(async (...given: unknown[]) => {
      const self = given.at(-1) as Command
      const texts = given.slice(0, -2).map(String)
      const payerOf = payerFrom(given.at(-2) as PayingOptions)
      const { connection, account } = await openAccount(self, context)
      const options = { signal, payer: payerOf?.(account) }
      const { said, text } = await act({ connection, account, options }, ...texts)
      print(self, said, text)
    })

  about(
    program
      .command('reword')
      .description('say a comment of yours in other words; what it said before stays on the chain')
      .argument('<comment>', 'its id, or a link that holds it')
      .argument('<text>'),
    async ({ connection, account, options }, comment = '', text = '') => {
      const id = subjectIn(comment, 'comment')
      const { hash } = await rewordComment(connection, account, id, text, options)
      return { said: { comment: id, action: hash }, text: `${id} is reworded` }
    },
  )
  about(
    program
      .command('react')
      .description("react to a comment, in one way at a time; 'none' takes it back")
      .argument('<comment>', 'its id, or a link that holds it')
      .addArgument(new Argument('<reaction>').choices([...reactions, 'none'])),
    async ({ connection, account, options }, comment = '', word = '') => {
      const id = subjectIn(comment, 'comment')
      const reaction = reactions.find((one) => one === word) ?? null
      const { hash } = await react(connection, account, id, reaction, options)
      return { said: { comment: id, reaction, action: hash }, text: `${word}: ${id}` }
    },
  )
  about(
    program
      .command('pin')
      .description('put a comment above all others of your track, in place of the one that is pinned')
      .argument('<comment>', 'its id, or a link that holds it'),
    async ({ connection, account, options }, comment = '') => {
      const id = subjectIn(comment, 'comment')
      const { track } = await findComment(connection, id, signal)
      const { hash } = await pinComment(connection, account, track, id, options)
      return { said: { track, pinned: id, action: hash }, text: `pin: ${id}` }
    },
  )
  about(
    program
      .command('unpin')
      .description('no longer put any comment above the others of your track')
      .argument('<track>', 'its id, or a link that holds it'),
    async ({ connection, account, options }, text = '') => {
      const track = subjectIn(text, 'track id')
      const { hash } = await pinComment(connection, account, track, null, options)
      return { said: { track, pinned: null, action: hash }, text: `unpin: ${track}` }
    },
  )
}

const shownAtMost = 50

function addReadingCommand(program: Command, context: Context): void {
  const { signal } = context
  program
    .command('comments')
    .description('what is said about a track: the pinned comment first, then the newest')
    .argument('[track]', 'its id, a link to it, or words to search for')
    .option('--thread <comment>', 'the answers in the thread that a comment begins, oldest first')
    .option('--after <page>', 'go on after a page that ended with this word')
    .action(
      async (
        text: string | undefined,
        { thread, after }: { thread?: string; after?: string },
        self: Command,
      ) => {
        if ((text === undefined) === (thread === undefined)) {
          throw new UsageError('give a track, or a thread by --thread')
        }
        const begins = thread === undefined ? undefined : subjectIn(thread, 'comment')
        const { connection } = await openConnection(self, context, { onlyReads: true })
        const page = { cursor: after, limit: shownAtMost, signal }
        const list = begins
          ? await repliesTo(connection, begins, page)
          : await commentsOn(connection, (await trackFor(connection, text ?? '', { signal })).id, page)
        const lines = list.items.map((comment) => describeComment(comment))
        const more = list.next === null ? [] : [`more: --after ${list.next}`]
        print(self, list, [...lines, ...more].join('\n') || 'nothing is said')
      },
    )
}

function describeComment({
  id,
  author,
  authorHandle,
  text,
  pinned,
  replyCount,
  positionMs,
}: Comment): string {
  const who = authorHandle === null ? author : `@${authorHandle}`
  const at = positionMs === null ? '' : ` at ${momentAt(positionMs)}`
  const more = [...(pinned ? ['pinned'] : []), ...(replyCount > 0 ? [`${replyCount} answers`] : [])]
  const said = (text ?? '(deleted or muted)').replace(/\s*\n\s*/g, ' ')
  return `${id}  ${who}${at}: ${said}${more.length > 0 ? `  (${more.join(', ')})` : ''}`
}

function momentAt(ms: number): string {
  return `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`
}

/** @returns ms @throws UsageError */
function momentOf(text: string): number {
  const [, minutes = '0', seconds] = /^(?:(\d{1,4}):)?(\d{1,5}(?:\.\d{1,3})?)$/.exec(text) ?? []
  if (seconds === undefined) throw new UsageError(`--at: '${text}' is no moment such as 1:23`)
  return Math.round((Number(minutes) * 60 + Number(seconds)) * 1000)
}
