import { setOptions, stringify, types } from 'hls-parser'

// What the library finds wrong it would otherwise print on the console, and write all the same.
setOptions({ strictMode: true })

export const { Key, MasterPlaylist, MediaInitializationSection, MediaPlaylist, Segment, Variant } = types
export { stringify }
