import { type Address, isSubject, parseAddress, type Subject } from '@hexachord/protocol/names'
import type { Gate } from '@hexachord/protocol/premium'
import type { Track, UploadAnswer } from '@hexachord/protocol/rest'
import type { Connection } from '@hexachord/sdk/connect'
import { findTrack, findUser, loadManifest } from '@hexachord/sdk/finding'
import { type HeldKey, keyFromPrivateKey } from '@hexachord/sdk/keys'
import { giveSecret, keyHoldersOf, premiumUploads, readGates } from '@hexachord/sdk/premium'
import { assertPublishable, detailsOf, publishingNotice, type TrackDetails } from '@hexachord/sdk/publishing'
import {
  type ReleasedFile,
  type ReleaseFile,
  type ReleaseOptions,
  releaseTracks,
  uploadAlbum,
} from '@hexachord/sdk/releasing'
import { cancelLeftUploads, forgetUpload, memoryKey, type UploadSource } from '@hexachord/sdk/uploading'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type FileMemory, fileUploadMemory, keyStore, type Settings, UsageError } from '../settings/index.ts'
import { ask, askPassword, confirmed } from '../terminal/index.ts'
import { chainReader, writingBy } from './chain.ts'
import { globalOptions, openConnection } from './connection.ts'
import type { Context } from './context.ts'
import { Interrupted } from './errors.ts'
import { gateOf } from './gate.ts'
import { addPayingOptions, type PayingOptions, payerFrom } from './paying.ts'
import { addTermsOptions, pricing, type TermsOptions } from './price.ts'
import { addDetailsOptions, type DetailsOptions, readDetails, tagsUpon } from './track-options.ts'
import { showUploads, timeSteps } from './upload-progress.ts'
import { assertReleasable, releaseTime } from './upload-release.ts'
import { printUploads } from './upload-result.ts'
import { sourceOf } from './upload-source.ts'

type Options = PayingOptions &
  TermsOptions &
  DetailsOptions & {
    price?: string
    premium?: true
    preview: number
    keyHolder?: Address[]
    title?: string
    artist?: string
    album?: string
    genre?: string
    description?: string
    licence?: string
    iHoldTheRights?: true
    unlisted?: true
    replace?: string
    keepOriginal?: true
    invite?: string
    parallel: number
    order: 'tags' | 'given'
    again?: true
    release?: number
    wait: 'applied' | 'final'
    /** As `--details` and the options beside it say it. */
    said?: Awaited<ReturnType<typeof readDetails>>
  }

const usualLicence = 'all-rights-reserved'

export function addUploadCommand(program: Command, context: Context): void {
  const command = program
    .command('upload')
    .description('publish files as tracks, and several with --album as an album')
    .argument('<files...>', 'any audio that ffmpeg reads')
    .option('--title <text>', "of a single file; default: the file's tag, or its name")
    .option('--artist <text>', "default: the file's tag")
    .option('--album <title>', 'what the tracks are from; several files are published as this album')
    .option('--genre <text>')
    .option('--description <text>', 'of the track, or of the album')
    .option('--licence <spdx>', `such as CC-BY-4.0; default: ${usualLicence}`)
    .option('--i-hold-the-rights', 'say so; asked for otherwise')
    .option('--unlisted', 'leave it out of lists and search (not secret)')
    .option(
      '--replace <track>',
      'replace the audio of this track; id, links and plays stay, and so does what is not given',
    )
    .option('--keep-original', 'make the file itself a part of the track, for whoever wants it as it is')
    .option('--invite <code>', 'for a creator node that takes only whom it has invited')
    .option('--parallel <files>', 'files that are sent at a time', wholeNumber, 3)
    .addOption(
      new Option('--order <by>', "of an album: by the files' track numbers, if all have one, or as given")
        .choices(['tags', 'given'])
        .default('tags'),
    )
    .option('--again', 'publish a file once more that this command has published before')
    .addOption(
      new Option('--wait <until>', 'end when it can be found, or when no reorganisation can take it back')
        .choices(['applied', 'final'])
        .default('applied'),
    )
    .option(
      '--release <time>',
      'publish it then, such as 2026-12-24T00:00Z: its node holds it back, and nobody sees it before',
      releaseTime,
    )
    .addHelpText(
      'after',
      '\nAfter any interruption the same command goes on with what is still to do, and does nothing twice.' +
        "\n'hexachord uploads' lists what is not finished, 'hexachord cancel' gives it up.",
    )
  command.option(
    '--price <amount>',
    'per 6 s of music, in whole tokens; needs --rpc, and your key pays for setting it',
  )
  command
    .option(
      '--premium',
      'encrypt it: it opens with keys only, which key holders give for payment; needs --price',
    )
    .option(
      '--preview <seconds>',
      'of a premium track, so much of its beginning is for everybody',
      wholeNumber,
      0,
    )
    .option(
      '--key-holder <operator>',
      'who is told the secret of a premium track; may be given several times; default: three that answer soonest',
      keyHolders,
    )
  addTermsOptions(command)
  addDetailsOptions(command)
  addPayingOptions(command).action((files: string[], options: Options, self: Command) =>
    upload(files, options, self, context),
  )
}

async function upload(paths: string[], options: Options, self: Command, context: Context): Promise<void> {
  const { signal } = context
  const sources = await Promise.all(paths.map(sourceOf))
  options.said = await readDetails(options)
  assertUsable(sources, options)
  const payerOf = payerFrom(options)
  const { connection, settings } = await openConnection(self, context)
  const replaced = options.replace ? await trackToReplace(connection, options.replace, context) : undefined
  await confirmRights(options, self, context)
  const key = await keyStore(settings.directory).openAuthor(() => askPassword(context, 'Password: '))
  if (replaced) await assertReplaceable(connection, key, replaced, options, context)
  const setPrice =
    options.price && (await priceSetter(options.price, options, { connection, settings, key, context }))
  const premium = options.premium && premiumUploads(connection, key, premiumTerms(options))
  const gate = replaced && premium && (await gateOf(connection, replaced.id, signal))
  const memory = fileUploadMemory(settings.directory)
  const kind = { premium: premium !== undefined }
  if (options.again) for (const source of sources) await forgetUpload(memory, key, source, kind)
  const shown = showUploads(paths, { json: globalOptions(self).json === true })
  const steps = timeSteps()
  const settled: ReleaseOptions = {
    ...{ memory, signal, payer: payerOf?.(key), until: options.wait, parallel: options.parallel },
    ...{ keepOriginal: options.keepOriginal, invite: options.invite, premium },
    holdUntilMs: options.release,
    onProgress(file, progress) {
      steps.note(file, progress)
      shown.show(file, progress)
    },
  }
  const files = sources.map(
    (source): ReleaseFile => ({
      source,
      subject: replaced?.id,
      async details(answer) {
        const isOne = sources.length === 1
        const said = await trackDetails(options, answer, { replaced, context, isOne })
        // Before it is released, so that it is never free.
        if (options.release !== undefined && setPrice) await setPrice(answer.subject)
        return said
      },
    }),
  )
  const tidying = cancelLeftUploads(connection, key, memory, { signal }).catch(() => undefined)
  try {
    const isAlbum = options.album !== undefined && files.length > 1
    const released = isAlbum
      ? await uploadAlbum(connection, key, files, albumDetails(options), { ...settled, order: options.order })
      : { album: undefined, held: undefined, files: await releaseTracks(connection, key, files, settled) }
    shown.stop()
    for (const file of released.files) {
      if (file.state !== 'published') continue
      if (setPrice) await setPrice(file.track.id)
      if (premium) await giveKeys(connection, key, file, gate, context)
    }
    printUploads(self, {
      ...{ paths, album: released.album, files: released.files, heldAlbum: released.held },
      ...{ isAlbum, context, connection },
      times: paths.map((_, file) => steps.of(file, context.startedAt)),
    })
  } catch (error) {
    if (signal.aborted && (await isBegun(memory, key, sources, kind))) throw new Interrupted()
    throw error
  } finally {
    shown.stop()
    await tidying
  }
}

function premiumTerms({ keyHolder, preview }: Options) {
  return { clearMs: preview * 1000, ...(keyHolder && { keyHolders: keyHolder }) }
}

/**
 * Gives the secret of a track to its key holders, where they do not have it yet. The gate stays what it is.
 * @param gate of the track that is replaced
 * @throws Error when no key holder has taken the secret: nobody could hear the track
 */
async function giveKeys(
  connection: Connection,
  key: HeldKey,
  { track: { id }, before }: Extract<ReleasedFile, { state: 'published' }>,
  gate: Gate | null | undefined,
  { signal }: Context,
): Promise<void> {
  if (before) {
    const keyHolders = await keyHoldersOf(connection, id, { signal })
    const told = await readGates(connection, id, { keyHolders, signal })
    // One that has it is enough, and who sets a gate knows more than this command.
    if (told.some((answer) => answer.gate !== undefined)) return
    const silent = told.find(({ lacksSecret }) => !lacksSecret)
    if (silent !== undefined && gate === undefined) {
      throw new Error(
        `it is not known who may hear ${id}, and whether its key holders have its keys: ${silent.operator} does not say (${silent.reason}). Run the same command again later, or say it anew by 'hexachord gate'`,
      )
    }
  }
  const { given, refused } = await giveSecret(connection, key, id, { gate: gate ?? null, signal })
  for (const { operator, reason } of refused) {
    process.stderr.write(`hexachord: ${operator} has not taken the keys: ${reason}\n`)
  }
  if (given.length === 0) {
    throw new Error(`no key holder has taken the keys of ${id}; run the same command again`)
  }
}

function keyHolders(text: string, before: readonly Address[] = []): Address[] {
  try {
    return [...before, parseAddress(text)]
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

/** Wrong terms are told before anything is sent. @throws UsageError, ApiError */
function priceSetter(
  amount: string,
  options: Options,
  opened: { connection: Connection; settings: Settings; key: HeldKey; context: Context },
) {
  const { connection, settings, context } = opened
  // The chain knows the key itself, whoever it signs for: a payee that was rotated away may be a thief.
  const key = keyFromPrivateKey(opened.key.privateKey)
  if (key.address !== opened.key.address && !options.replace) {
    throw new UsageError(
      `--price: only ${opened.key.address}, your first key, can set the first price of a track: publish it without, then hand it on by 'hexachord price'`,
    )
  }
  const reader = chainReader(connection, settings)
  return pricing(amount, options, key, writingBy(key, reader, settings, context))
}

/** @throws UsageError, ActionError */
function assertUsable(sources: readonly UploadSource[], options: Options): void {
  assertReleasable(options, Date.now())
  if (new Set(sources.map(({ fingerprint }) => fingerprint)).size < sources.length) {
    throw new UsageError('the same file is named twice')
  }
  if (options.premium && !options.price) {
    throw new UsageError('--premium needs --price: what it costs is what its keys are given for')
  }
  if (options.premium && options.keepOriginal) {
    throw new UsageError('--keep-original would give away what --premium encrypts')
  }
  if (!options.premium && (options.preview || options.keyHolder)) {
    throw new UsageError('--preview and --key-holder are for --premium')
  }
  if (sources.length > 1 && options.said?.isrc) throw new UsageError('an ISRC is of a single file')
  if (sources.length > 1 && (options.title || options.said?.title))
    throw new UsageError('--title is for a single file')
  if (sources.length > 1 && options.replace) throw new UsageError('--replace takes a single file')
  assertPublishable({
    ...{ title: 'unknown yet', artist: 'unknown yet', licence: usualLicence, rightsHeld: true },
    ...given(options),
  })
}

async function trackToReplace(connection: Connection, id: string, { signal }: Context): Promise<Track> {
  if (!isSubject(id)) throw new UsageError(`'${id}' is no track id such as 0x…-123`)
  return findTrack(connection, id as Subject, { signal })
}

/** Told now, and not after the file was sent. @throws UsageError, ApiError */
async function assertReplaceable(
  connection: Connection,
  key: HeldKey,
  replaced: Track,
  options: Options,
  { signal }: Context,
): Promise<void> {
  const { id, author } = replaced
  if (!options.premium && (await isPremium(connection, replaced, signal))) {
    throw new UsageError(
      `${id} is premium, and would be free for ever: give --premium, or publish the file as a new track`,
    )
  }
  if (author === key.address) return
  const { controller } = await findUser(connection, author, { signal })
  if (controller !== key.address) {
    throw new UsageError(`${id} is of ${author}: your key, ${key.address}, cannot replace it`)
  }
}

/** The index may not have read the manifest yet. */
async function isPremium(connection: Connection, track: Track, signal: AbortSignal): Promise<boolean> {
  if (track.premium !== null) return track.premium
  return (await loadManifest(connection, track, { signal })).manifest.keyHolders !== undefined
}

async function confirmRights(options: Options, self: Command, context: Context): Promise<void> {
  const { json } = globalOptions(self)
  process.stderr.write(json ? `${JSON.stringify({ notice: publishingNotice })}\n` : `${publishingNotice}\n`)
  if (options.iHoldTheRights) return
  const question = 'Do you hold the rights to publish this?'
  if (await confirmed(context, question, { instead: 'give --i-hold-the-rights' })) return
  throw new UsageError('nothing was published')
}

/** What the file says of itself, under what the artist says of it; of a track that is replaced, what was said before. */
async function trackDetails(
  options: Options,
  { tags = {}, filename }: UploadAnswer,
  { replaced, context, isOne }: { replaced: Track | undefined; context: Context; isOne: boolean },
): Promise<TrackDetails> {
  const { description, ...said } = given(options)
  const mine = isOne && description !== undefined ? { ...said, description } : said
  if (replaced) {
    const before = detailsOf(replaced)
    const tags = options.details === undefined ? tagsUpon(before.tags ?? [], options) : said.tags
    return { ...before, ...mine, ...(tags && { tags }) }
  }
  const { disc: _, number: __, title = filename.replace(/\.[^.]+$/, ''), artist, ...others } = tags
  const instead = 'the file names no artist: give --artist; what was uploaded is kept'
  return {
    ...{ title, licence: usualLicence, rightsHeld: true },
    artist: options.artist ?? artist ?? (await ask(context, `Artist of ${filename}: `, { instead })),
    ...others,
    ...mine,
  }
}

function albumDetails({ album = '', description, unlisted }: Options) {
  return { title: album, description, unlisted }
}

function given({ said, title, artist, album, genre, description, licence, unlisted }: Options) {
  const all = { title, artist, album, genre, description, licence, unlisted }
  const options = Object.entries(all).filter(([, value]) => value !== undefined)
  return { ...said, ...Object.fromEntries(options) } as Partial<{
    -readonly [Name in keyof TrackDetails]: Exclude<TrackDetails[Name], undefined>
  }>
}

async function isBegun(
  memory: FileMemory,
  key: HeldKey,
  sources: readonly UploadSource[],
  kind: { readonly premium: boolean },
): Promise<boolean> {
  const saved = await Promise.all(sources.map((source) => memory.load(memoryKey(key, source, kind))))
  return saved.some((upload) => upload !== undefined && !upload.published)
}

function wholeNumber(text: string): number {
  if (!/^[1-9][0-9]?$/.test(text)) throw new InvalidArgumentError('It must be a number from 1 to 99.')
  return Number(text)
}
