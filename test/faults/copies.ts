import { parseAddress } from '@hexachord/protocol/names'
import { countCopies } from '@hexachord/protocol/receipts'
import type { Track } from '@hexachord/protocol/rest'
import type { Artist } from '../network/artist.ts'
import type { FaultNetwork } from './fault-network.ts'

/** Names of content services that hold a track, as anybody can count them. */
export async function holdersIn(
  network: FaultNetwork,
  artist: Artist,
  { id, manifest }: Pick<Track, 'id' | 'manifest'>,
): Promise<string[]> {
  const services = network.operators.filter(({ name }) => name.startsWith('content-service-'))
  const { operators } = await countCopies({
    ...{ subject: id, manifest, fetch, nowMs: Date.now(), domain: artist.connection.domain },
    operators: services.map(({ address, hotKey, endpoint }) => ({
      ...{ operator: parseAddress(address), hotKey: parseAddress(hotKey), endpoint },
    })),
  })
  return operators.flatMap(({ state }, index) => (state === 'held' ? (services[index]?.name ?? []) : []))
}
