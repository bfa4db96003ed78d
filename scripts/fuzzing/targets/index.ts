import type { Target } from '../target.ts'

/** By the beginning of their names, so that one is tried without loading all of the product. */
const groups: Readonly<
  Record<string, () => Promise<{ targets: (folder: string) => Promise<readonly Target[]> }>>
> = {
  'protocol/names': () => import('./protocol-names.ts'),
  'protocol/signed': () => import('./protocol-signed.ts'),
  'protocol/tracks': () => import('./protocol-tracks.ts'),
  'protocol/chain': () => import('./protocol-chain.ts'),
  'creator-node': () => import('./creator-node.ts'),
  'content-service': () => import('./content-service.ts'),
  'discovery-provider': () => import('./discovery-provider.ts'),
  storage: () => import('./storage.ts'),
  'storage/till': () => import('./storage-till.ts'),
  platform: () => import('./platform.ts'),
  client: () => import('./client.ts'),
  'client/till': () => import('./client-till.ts'),
}

/** Every parser of ours whose name begins with `wanted`, with its corpus.
 * @param folder for files that are read */
export async function loadTargets(wanted: string, folder: string): Promise<readonly Target[]> {
  const loaded = Object.entries(groups)
    .filter(([group]) => group.startsWith(wanted) || wanted.startsWith(group))
    .map(async ([, load]) => (await load()).targets(folder))
  return (await Promise.all(loaded)).flat().filter(({ name }) => name.startsWith(wanted))
}
