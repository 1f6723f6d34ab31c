// Makes what browsers are sent: a part of `npm run build`.
import { buildPage } from './page-bundle.ts'

await buildPage()
