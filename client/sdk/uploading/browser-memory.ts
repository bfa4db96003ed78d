import { checked } from '@hexachord/protocol/checked'
import { type SavedUpload, savedUploadSchema, type UploadMemory } from './memory.ts'

const prefix = 'hexachord upload '

/** What of the Web Storage API is needed. */
type WebStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'key' | 'length'>

/** Keeps uploads in a browser, so that a page that is opened again goes on with a file that is chosen again.
 * @param storage such as `localStorage` */
export function browserMemory(storage: WebStorage): UploadMemory {
  return {
    load: async (key) => parse(storage.getItem(prefix + key)),
    save: async (key, saved) => storage.setItem(prefix + key, JSON.stringify(saved)),
    forget: async (key) => storage.removeItem(prefix + key),
    async list() {
      const names = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? '')
      return names.flatMap((name) => {
        const saved = name.startsWith(prefix) ? parse(storage.getItem(name)) : undefined
        return saved ? [{ key: name.slice(prefix.length), saved }] : []
      })
    },
  }
}

/** What is damaged costs a fresh start of one upload. */
function parse(text: string | null): SavedUpload | undefined {
  if (text === null) return undefined
  try {
    return checked(savedUploadSchema, JSON.parse(text)).data
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
