"""Landing: fly a helicopter onto the deck of a ship that sails to and fro, and stay there."""

from __future__ import annotations

import math
from collections.abc import Sequence

from newt_bench.envs.miniarcade.canvas import WINDOW, Canvas, Color
from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.geometry import Rect, clip
from newt_bench.envs.miniarcade.palette import DANGER, GOAL, INK, MUTED, PAPER

__all__ = ["Landing"]

_LENGTH, _HEIGHT = 28, 18  # of the helicopter
_HIGHEST_X, _HIGHEST_Y = 196, 206
_GRAVITY, _PUSH, _DAMPING = 0.2, 0.6, 0.96
_DECK, _DECK_HEIGHT, _HALF_DECK = 183, 12, 35  # top, thickness and half the width of the deck
_SHIP_Y = _DECK + _DECK_HEIGHT / 2
_PORT, _STARBOARD = 35.0, 189.0  # where the ship's centre turns round
_RESTING = float(_DECK - _HEIGHT)
_MARGIN = 4  # of the deck's ends, on which nothing can stand
_NEAR = 3  # pixels between skids and deck that still count as contact
_STILL = 0.2  # speed relative to the deck below which the skids lock
_SEA = 179

_SKY: tuple[Color, Color] = ((112, 168, 238), (226, 238, 250))
_CLOUD: Color = (250, 252, 255)
_WATER: tuple[Color, Color] = ((70, 140, 208), (30, 82, 158))
_HULL: tuple[Color, Color] = ((126, 128, 148), (78, 80, 98))
_PAINT: Color = (176, 58, 58)
_BODY: Color = (242, 244, 248)
_BODY_RIM: Color = (44, 62, 92)
_STRIPE: Color = (38, 104, 178)
_GLASS: Color = (88, 150, 190)
_SHINE: Color = (206, 232, 246)


class Landing(Game):
    """The actions thrust the helicopter to the right and downwards (up if negative), against gravity.

    The ship's deck is solid. With the skids within three pixels of it the helicopter is in contact: the deck drags it
    along and, once it hardly moves on the deck, locks it until it takes off.

    The reward in contact is 0.1, and up to 0.9 more the nearer to the deck's centre; in the air it is 0.125 at most,
    less with the distance from the deck; below the deck's level it is -0.5. Touching down costs twice the speed, up
    to 10. Sinking costs 0.001 times the speed.

    Observation (7): top left corner over 224; velocity over 10; the ship's centre over 224 (two numbers, of which the
    second never changes); the ship's velocity over 5.
    """

    def setup(self) -> None:
        """Draws where the helicopter hovers, top left, and the way of the ship."""
        self._x, self._y = (float(self.rng.uniform(12, 36)) for _ in range(2))
        self._vx, self._vy = (float(self.rng.uniform(-0.3, 0.3)) for _ in range(2))
        self._ship = 74.0
        self._heading = 1 if self.rng.random() < 0.5 else -1
        self._speed = 1.4 + float(self.rng.uniform(-0.3, 0.3))
        self._contact = self._locked = False

    def advance(self, action: Sequence[float]) -> float:
        """Moves helicopter and ship, resolves their collision and rewards the place."""
        self._fly(action)
        self._sail()
        deck, was_in_contact, sinking = self._deck(), self._contact, self._vy
        self._collide(deck)
        helicopter = self._body()
        self._hold_on(helicopter, deck)
        bump = sinking if self._contact and not was_in_contact else 0.0
        # The place is that of before the lock, as published.
        return self._reward(helicopter, deck) - min(10.0, 2 * max(0.0, bump))

    def _fly(self, action: Sequence[float]) -> None:
        self._vx += _PUSH * action[0]
        self._vy += _PUSH * action[1] + _GRAVITY
        # At the borders the speed is kept, and may grow, as published.
        self._x = clip(self._x + self._vx, 0, _HIGHEST_X)
        self._y = clip(self._y + self._vy, 0, _HIGHEST_Y)
        self._vx *= _DAMPING
        self._vy *= _DAMPING

    def _sail(self) -> None:
        self._ship += self._heading * self._speed
        if self._ship <= _PORT:
            self._ship, self._heading = _PORT, 1
        elif self._ship >= _STARBOARD:
            self._ship, self._heading = _STARBOARD, -1

    def _body(self) -> Rect:
        return Rect.truncated(self._x, self._y, _LENGTH, _HEIGHT)

    def _deck(self) -> Rect:
        return Rect.truncated(self._ship - _HALF_DECK, _DECK, 2 * _HALF_DECK, _DECK_HEIGHT)

    def _collide(self, deck: Rect) -> None:
        """Pushes the helicopter out of the deck, the shortest way; a push to the left may leave the window."""
        body = self._body()
        if not body.overlaps(deck):
            return
        deck_end, deck_bottom = deck.left + deck.width, deck.top + deck.height
        across = min(body.left + _LENGTH - deck.left, deck_end - body.left)
        down = min(body.top + _HEIGHT - deck.top, deck_bottom - body.top)
        if down <= across and body.top + _HEIGHT // 2 < _SHIP_Y:
            self._y, self._vy = _RESTING, min(0.0, self._vy)
            self._vx *= 0.9
        elif down <= across:
            self._y, self._vy = float(deck_bottom), max(0.0, self._vy)
        elif body.left + _LENGTH // 2 < deck.left + _HALF_DECK:
            self._x, self._vx = float(deck.left - _LENGTH), min(0.0, self._vx)
        else:
            self._x, self._vx = float(deck_end), max(0.0, self._vx)

    def _hold_on(self, body: Rect, deck: Rect) -> None:
        """Friction on the deck, and the lock; a helicopter that hovers close enough is in contact, too."""
        self._contact = (
            body.left + _LENGTH > deck.left + _MARGIN
            and body.left < deck.left + deck.width - _MARGIN
            and abs(body.top + _HEIGHT - _DECK) <= _NEAR
        )
        if not self._contact:
            self._locked = False
            return
        drift = self._heading * self._speed
        self._vx = 0.7 * self._vx + 0.3 * drift
        if abs(self._vy) < _STILL and abs(self._vx - drift) < _STILL:
            self._locked = True
        if self._locked:
            self._vx, self._vy, self._y = drift, min(0.0, self._vy), _RESTING

    def _reward(self, body: Rect, deck: Rect) -> float:
        middle = body.top + _HEIGHT // 2
        off = abs(body.left + _LENGTH // 2 - (deck.left + _HALF_DECK))
        centred = 1 - min(off / _HALF_DECK, 1.0)
        reward = -0.5 if middle > _DECK else 0.025 * centred + 0.1 * (1 - abs(middle - _SHIP_Y) / 224)
        if self._contact:
            reward += 0.1 + 0.9 * centred
        return reward - 0.001 * max(self._vy, 0.0)

    def observe(self) -> list[float]:
        """See the class."""
        return [
            *(self._x / 224, self._y / 224, self._vx / 10, self._vy / 10),
            *(self._ship / 224, _SHIP_Y / 224, self._heading * self._speed / 5),
        ]

    def draw(self, canvas: Canvas) -> None:
        """Draws sea and sky, the ship and the helicopter; a green veil in contact, a green light when locked."""
        self._draw_sky(canvas)
        self._draw_sea(canvas)
        self._draw_ship(canvas)
        self._draw_shadow(canvas)
        self._draw_helicopter(canvas, self._x, self._y)
        if self._y + _HEIGHT / 2 > _DECK:
            self._draw_splash(canvas)
        if self._contact:
            canvas.tint(GOAL, 0.15)

    def _draw_sky(self, canvas: Canvas) -> None:
        canvas.gradient(*_SKY, 0, 0, WINDOW, _SEA)
        canvas.glow(186, 34, 40, PAPER, 0.8)
        canvas.disc(186, 34, 12, (255, 248, 214))
        for x, y, size in self.decoration(0).uniform((0, 62, 0.6), (WINDOW, 132, 1.1), (5, 3)).tolist():
            for shift, rise, width in ((-20, 0, 40), (-12, -4, 26), (-2, 4, 30)):
                canvas.rectangle(x + size * shift, y + size * rise, size * width, 5 * size, _CLOUD, corner=2.5 * size,
                                 alpha=0.6)  # fmt: skip

    def _draw_sea(self, canvas: Canvas) -> None:
        canvas.gradient(*_WATER, 0, _SEA, WINDOW, WINDOW - _SEA)
        canvas.rectangle(0, _SEA, WINDOW, 1, PAPER, alpha=0.5)
        for number, (start, depth) in enumerate(self.decoration(1).uniform((0, 3), (264, 43), (26, 2)).tolist()):
            x = (start + (0.2 + 0.01 * depth) * self.time) % 264 - 20
            half = 3 + 0.15 * depth + math.sin(0.15 * self.time + number)
            canvas.rectangle(x - half, _SEA + depth, 2 * half, 1.2, PAPER, corner=0.6, alpha=0.28)

    def _draw_ship(self, canvas: Canvas) -> None:
        x, ahead = self._ship, self._heading
        left, right, bottom = x - _HALF_DECK, x + _HALF_DECK, _DECK + _DECK_HEIGHT
        keel, prow = bottom + 16, x + ahead * (_HALF_DECK + 10)
        for number in range(3):  # the wake
            start = x - ahead * (_HALF_DECK - 6 + 7 * number)
            canvas.line((start, keel - 4 * number), (start - ahead * 16, keel - 4 * number), 1.4, PAPER, alpha=0.5)
        cabin = x - ahead * 24 - 9
        canvas.rectangle(cabin, _DECK - 12, 18, 13, MUTED, corner=2)
        canvas.rectangle(cabin + 1, _DECK - 11, 16, 12, PAPER, corner=1.5)
        for window in range(3):
            canvas.rectangle(cabin + 2.5 + 4.7 * window, _DECK - 8.5, 3.4, 3.6, _STRIPE, corner=0.8)
        bow = x + ahead * _HALF_DECK
        canvas.polygon(
            [(bow, _DECK + 1), (prow, _DECK + 1), (x + ahead * 25, keel), (bow - ahead * 12, keel)], _HULL[0]
        )
        canvas.polygon([(left, bottom - 2), (right, bottom - 2), (right - 10, keel), (left + 10, keel)], _HULL[0])
        canvas.polygon([(left + 6, keel - 6), (right - 6, keel - 6), (right - 10, keel), (left + 10, keel)], _PAINT)
        canvas.rectangle(left + 9, keel - 1, 2 * _HALF_DECK - 18, 2, PAPER, corner=1, alpha=0.6)
        canvas.rectangle(left, _DECK, 2 * _HALF_DECK, _DECK_HEIGHT, _HULL[1])
        canvas.rectangle(left + 1, _DECK + 1, 2 * _HALF_DECK - 2, _DECK_HEIGHT - 2, PAPER)
        for end in (left + 1, right - 5):
            canvas.rectangle(end, _DECK + 1, 4, _DECK_HEIGHT - 2, (250, 200, 60))
        canvas.disc(x, _SHIP_Y, 5, _PAINT, outline=1.2)
        canvas.text("H", x, _SHIP_Y + 0.3, 9, _PAINT)
        canvas.rectangle(x - 0.7, _DECK - 12, 1.4, 12, INK)
        canvas.polygon([(x + 0.7, _DECK - 12), (x + 9, _DECK - 9), (x + 0.7, _DECK - 6)], DANGER)

    def _draw_shadow(self, canvas: Canvas) -> None:
        """The helicopter's shadow on the deck, darker the closer it is."""
        left = max(self._x + 4, self._ship - _HALF_DECK)
        right = min(self._x + _LENGTH - 2, self._ship + _HALF_DECK)
        height = _DECK - (self._y + _HEIGHT)
        if left < right and height >= -1:
            canvas.rectangle(left, _DECK, right - left, 3, INK, corner=1.5, alpha=0.15 + 0.4 * max(0, 1 - height / 90))

    def _draw_helicopter(self, canvas: Canvas, x: float, y: float) -> None:
        canvas.polygon([(x + 12, y + 4.5), (x + 1, y + 4), (x + 1, y + 6.5), (x + 13, y + 11)], _BODY_RIM)
        canvas.polygon([(x + 0.5, y), (x + 3.5, y + 0.5), (x + 5, y + 6), (x + 1, y + 6)], _STRIPE)
        spin = 0.9 * self.time
        for blade in (spin, spin + math.pi / 2):
            canvas.line((x + 2 - 3 * math.cos(blade), y + 4 - 3 * math.sin(blade)),
                        (x + 2 + 3 * math.cos(blade), y + 4 + 3 * math.sin(blade)), 0.9, INK)  # fmt: skip
        for strut in (x + 12, x + 21):
            canvas.line((strut, y + 13), (strut - 0.5, y + 17), 1.2, _BODY_RIM)
        canvas.path([(x + 7, y + 17.2), (x + 25.5, y + 17.2), (x + 27, y + 15.8)], 1.6, _BODY_RIM)
        canvas.rectangle(x + 8.5, y + 2, 19, 13, _BODY_RIM, corner=6)
        canvas.rectangle(x + 9.5, y + 3, 17, 11, _BODY, corner=5)
        canvas.rectangle(x + 9.5, y + 9.6, 16.5, 2, _STRIPE)
        canvas.rectangle(x + 19, y + 4, 7, 5.2, _GLASS, corner=2.6)
        canvas.line((x + 21, y + 5.2), (x + 23.5, y + 5.2), 1, _SHINE)
        self._draw_rotor(canvas, x + 17, y)
        if self._locked:
            canvas.disc(x + 14, y + 7, 3, _BODY_RIM)
            canvas.disc(x + 14, y + 7, 2.2, GOAL)

    def _draw_rotor(self, canvas: Canvas, x: float, y: float) -> None:
        """The rotor leans to where the helicopter drifts."""
        canvas.rectangle(x - 1, y - 2.5, 2, 5, _BODY_RIM)
        lean = clip(0.35 * self._vx, -3, 3)
        canvas.line((x - 16, y - 2.5 - lean), (x + 16, y - 2.5 + lean), 1.6, INK, alpha=0.35)
        reach = 0.45 + 0.55 * abs(math.cos(0.8 * self.time))
        canvas.line((x - 16 * reach, y - 2.5 - lean * reach), (x + 16 * reach, y - 2.5 + lean * reach), 1.4, INK)

    def _draw_splash(self, canvas: Canvas) -> None:
        x, y = self._x + _LENGTH / 2, min(self._y + _HEIGHT, WINDOW - 3)
        for ring in range(3):
            half = 12 + 5 * ring + 2 * math.sin(0.4 * self.time + ring)
            canvas.rectangle(x - half, y - 3 + 1.5 * ring, 2 * half, 2, PAPER, corner=1, alpha=0.6 - 0.15 * ring)
