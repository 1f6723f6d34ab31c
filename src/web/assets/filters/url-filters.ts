// Filters in the URL: reloading, bookmarks and the back button restore them.

/** Names in the query of the page. */
type FilterName = 'coin' | 'timeframe' | 'state' | 'job' | 'result' | 'source'

export type UrlFilters = Readonly<{
  value(name: FilterName): string
  isSet(): boolean
  /** Adds choices to a select, once each. */
  offer(name: FilterName, choices: Iterable<string>): void
}>

type Control = HTMLInputElement | HTMLSelectElement

/** Binds the controls of a form to the URL, and calls `changed` when the user or the back button changes one. */
export function openUrlFilters(form: HTMLElement, changed: () => void): UrlFilters {
  const controls = [...form.querySelectorAll<Control>('[data-filter]')]
  const clear = form.querySelector<HTMLButtonElement>('[data-clear]')
  const nameOf = ({ dataset }: Control) => dataset.filter as FilterName
  const stateOf = () => controls.map((control) => inUrl(nameOf(control))).join('\n')
  const isSet = () => controls.some((control) => inUrl(nameOf(control)) !== '')
  let state = ''
  let isTyping = false

  const restore = () => {
    state = stateOf()
    for (const control of controls) {
      const value = inUrl(nameOf(control))
      if (control instanceof HTMLSelectElement) addOption(control, value)
      if (control.value !== value) control.value = value
    }
    if (clear) clear.hidden = !isSet()
  }
  const write = (values: ReadonlyMap<FilterName, string>) => {
    const url = new URL(location.href)
    for (const [name, value] of values) {
      if (value === '') url.searchParams.delete(name)
      else url.searchParams.set(name, value)
    }
    // One entry of the history for a word that is typed.
    if (isTyping) history.replaceState(null, '', url)
    else history.pushState(null, '', url)
    restore()
    changed()
  }
  form.addEventListener('input', ({ target }) => {
    const control = controls.find((one) => one === target)
    if (!control) return
    write(new Map([[nameOf(control), control.value]]))
    isTyping = control instanceof HTMLInputElement
  })
  form.addEventListener('change', () => {
    isTyping = false
  })
  form.addEventListener('submit', (event) => event.preventDefault())
  clear?.addEventListener('click', () => {
    write(new Map(controls.map((control) => [nameOf(control), ''])))
    controls[0]?.focus()
  })
  addEventListener('popstate', () => {
    isTyping = false
    const before = state
    restore()
    if (state !== before) changed()
  })
  restore()

  return {
    value: inUrl,
    isSet,
    offer: (name, choices) => {
      const control = controls.find((one) => nameOf(one) === name)
      if (control instanceof HTMLSelectElement) for (const choice of choices) addOption(control, choice)
    },
  }
}

const inUrl = (name: FilterName): string => new URLSearchParams(location.search).get(name) ?? ''

function addOption(select: HTMLSelectElement, value: string): void {
  if ([...select.options].some((option) => option.value === value)) return
  select.add(new Option(value, value))
}
