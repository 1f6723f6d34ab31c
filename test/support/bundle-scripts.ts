// Makes what `npm run bench` runs: bundled, as the program itself is.
import { setup } from './scripts.ts'

await setup()
