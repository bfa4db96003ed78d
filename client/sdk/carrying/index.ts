export { carFileOfBlob, carType, importTrack, inspectCar, OtherTrack, verifyExport } from './import-track.ts'
export { openExport, type TrackExport } from './open-export.ts'
