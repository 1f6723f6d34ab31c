// Asks for the status before the rest of the page is there: by the time it can be drawn, it has come.

export const events = new EventSource('/api/events')

/** The first status, where it came before anybody listened. */
export const early = { data: undefined }

events.addEventListener(
  'status',
  ({ data }) => {
    early.data = data
  },
  { once: true },
)
