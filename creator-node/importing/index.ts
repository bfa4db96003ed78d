export { carType, importTrack, isCarried } from './import-track.ts'
