"""The pages that Truemed would host: where a shopper answers a survey, is reviewed, enters a card, or walks away.

`site` takes requests to pages, `checkout`, `stored` and `qualify` are the journeys, `render` makes HTML.
"""
