// Light, dark or as the system has it: set before the page is drawn, so that it does not flash, and remembered.
{
  const themes = ['system', 'light', 'dark']
  const key = 'beacon.theme'
  const root = document.documentElement
  const system = matchMedia('(prefers-color-scheme: dark)')
  let chosen = 'system'

  // A browser may refuse storage: the choice then lasts as long as the page.
  const remembered = () => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  }
  const remember = (theme: string) => {
    try {
      localStorage.setItem(key, theme)
    } catch {
      // See above.
    }
  }
  const apply = (theme: string | null) => {
    chosen = theme !== null && themes.includes(theme) ? theme : 'system'
    root.dataset.theme = chosen === 'system' ? (system.matches ? 'dark' : 'light') : chosen
    const chooser = document.querySelector<HTMLSelectElement>('#theme')
    if (chooser) chooser.value = chosen
    document.dispatchEvent(new Event('theme'))
  }

  apply(remembered())
  document.addEventListener('DOMContentLoaded', () => apply(remembered()))
  document.addEventListener('change', ({ target }) => {
    if (!(target instanceof HTMLSelectElement) || target.id !== 'theme') return
    remember(target.value)
    apply(target.value)
  })
  // Another tab has chosen.
  addEventListener('storage', (event) => {
    if (event.key === key) apply(event.newValue)
  })
  system.addEventListener('change', () => apply(chosen))
}
