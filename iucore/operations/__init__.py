"""Operations on a whole database: they open connections and begin transactions themselves."""
