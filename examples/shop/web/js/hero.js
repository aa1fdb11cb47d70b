/** The top of the page wears the colours of one drop: the newest that can be had, else the next to come. */

import { byId, h, setText } from './dom.js';
import { formatCountdown } from './countdown.js';
import { formatMoney } from './money.js';
import { createSneakerArt } from './sneaker-art.js';
import { identityOf, phaseOf } from './state.js';

const NO_DROP = 'Limited runs. Live stock.';

/**
 * @param {import('./state.js').DropFacts[]} drops
 * @param {number} now
 * @returns {import('./state.js').DropFacts|undefined}
 */
export function featuredOf(drops, now) {
  const inPhase = (/** @type {string} */ phase) => drops.filter((facts) => phaseOf(facts, now) === phase);
  const next = inPhase('upcoming').sort((a, b) => Date.parse(a.startsAt ?? '') - Date.parse(b.startsAt ?? ''));
  return inPhase('open')[0] ?? next[0] ?? inPhase('mayComeBack')[0] ?? inPhase('soldOut')[0];
}

export function createHero() {
  const section = byId('hero');
  const art = byId('hero-art');
  const kicker = byId('hero-kicker');
  const name = h('p', { class: 'feature-name' });
  const figure = h('p', { class: 'feature-figure' });
  const label = h('p', { class: 'feature-label' });
  const link = h('a', { class: 'button primary feature-link' });
  const feature = h('div', { class: 'feature', hidden: true }, h('div', {}, figure, label), h('div', { class: 'feature-text' }, name, link));
  byId('hero-feature').append(feature);
  /** @type {string|undefined} */
  let wearing;
  /** @type {import('./state.js').DropFacts|undefined} */
  let featured;

  return {
    /** @param {import('./state.js').DropFacts[]} drops @param {number} now */
    update(drops, now) {
      featured = featuredOf(drops, now);
      feature.hidden = !featured;
      if (!featured) {
        setText(kicker, NO_DROP);
        return;
      }
      if (wearing !== identityOf(featured)) {
        wearing = identityOf(featured);
        const picture = createSneakerArt(featured, { bare: true });
        art.replaceChildren(picture.element);
        section.style.setProperty('--field', picture.field);
        section.style.setProperty('--field-ink', picture.ink);
        section.style.setProperty('--field-paper', picture.ink === '#ffffff' ? '#121210' : '#ffffff');
        link.href = `#drop-${featured.id}`;
      }
      setText(name, `${featured.name}, ${formatMoney(featured.price)}`);
      this.tick(now);
    },
    /** @param {number} now */
    tick(now) {
      if (!featured) return;
      const phase = phaseOf(featured, now);
      const upcoming = phase === 'upcoming';
      setText(kicker, { upcoming: 'Next drop', open: 'Out now', mayComeBack: 'May come back', soldOut: 'Gone', ended: 'Over' }[phase]);
      setText(figure, upcoming ? formatCountdown(Date.parse(featured.startsAt ?? '') - now) : featured.availableStock);
      setText(label, upcoming ? 'until it opens' : `of ${featured.totalStock} available`);
      setText(link, phase === 'open' ? 'Get yours' : 'See the drop');
    },
  };
}
