export { type ByteReader, createByteReader } from './byte-reader.ts'
export {
  type CarFile,
  type Carried,
  type CarriedDetails,
  type CarriedTrack,
  carFileOf,
  carriedOrder,
  decodeCarried,
  encodeCarried,
  readCarriedTrack,
} from './carried-track.ts'
export { type Car, type CarBlock, CarError, openCar } from './read-car.ts'
export { carHeader, carSection, carSectionLength } from './write-car.ts'
