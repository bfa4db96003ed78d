import { existsSync } from 'node:fs'
import path from 'node:path'

/**
 * The files that take longest, in the order in which they are begun: a suite's workers would otherwise wait at its end for
 * the one that has begun such a file last. First comes what is cut by ffmpeg, which gives way to all others, then what
 * mostly waits.
 */
export const longFiles = [
  'creator-node/long-upload.parts.test.ts',
  'discovery-provider/indexing/reliability/long-troubles.parts.test.ts',
  'client/cli/wallet.parts.test.ts',
  'creator-node/large-upload.parts.test.ts',
  'creator-node/processing.parts.test.ts',
  'creator-node/publishing.parts.test.ts',
  'discovery-provider/indexing/reliability/providers.parts.test.ts',
  'discovery-provider/main.parts.test.ts',
  'content-service/duty.parts.test.ts',
  'scripts/local-network/local-network.parts.test.ts',
  'content-service/replication.parts.test.ts',
  'discovery-provider/indexing/reliability/head-latency.parts.test.ts',
  'client/cli/main.test.ts',
  'scripts/sample-music/sample-music.test.ts',
  'client/cli/commands/several-files.test.ts',
  'client/cli/commands/upload.test.ts',
  'scripts/fuzzing/fuzzing.test.ts',
  'test/faults/uploading.test.ts',
  'test/faults/losing-copies.test.ts',
  'test/faults/upload-steps.test.ts',
  'test/faults/soak.test.ts',
  'test/faults/partitions.test.ts',
  'test/faults/missing.test.ts',
  'test/browser/loader.test.ts',
  'test/browser/killed-holder.test.ts',
  'test/browser/network.test.ts',
  'test/network/cli.test.ts',
  'test/network/paid-music.test.ts',
  'test/network/several-nodes.test.ts',
]

/**
 * The long files first, then the others by their size, the largest first. Jest itself goes by how long files took the last
 * time, which a fresh machine does not know: this order is the same everywhere.
 */
export default class LongFilesFirst {
  sort(tests) {
    for (const { context } of tests.slice(0, 1)) expectAllThere(context.config.rootDir)
    return [...tests].sort((a, b) => rankOf(a) - rankOf(b) || sizeOf(b) - sizeOf(a))
  }

  cacheResults() {}
}

function expectAllThere(root) {
  const gone = longFiles.filter((file) => !existsSync(path.join(root, file)))
  if (gone.length > 0) throw new Error(`in the list of long files, but not there: ${gone.join(', ')}`)
}

function rankOf({ path: file, context }) {
  const place = longFiles.indexOf(path.relative(context.config.rootDir, file).split(path.sep).join('/'))
  return place === -1 ? longFiles.length : place
}

function sizeOf({ path: file, context }) {
  return context.hasteFS.getSize(file) ?? 0
}
