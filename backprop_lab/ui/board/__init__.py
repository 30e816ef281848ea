"""The board as a picture: arrays and layout, and nothing of widgets or pages."""
